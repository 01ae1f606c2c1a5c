"""Many rows at a time: columns in, validated column by column, each distinct value once."""
