"""The lines of docs/how-to/score-files.md on Spark, which test_engines.py runs in a project."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from workbench.score.job import Result
from workbench.score.run import Run

spark = SparkSession.builder.getOrCreate()
with Run.opened(Path(), {"INPUT": sys.argv[1], "OUTPUT": sys.argv[2]}) as run:
    parts = [part.to_json() for part in run.parts]
    results = spark.sparkContext.parallelize(parts, len(parts)).map(run.portable()).collect()
    print(run.finish(map(Result.from_json, results)))
