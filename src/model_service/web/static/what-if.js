// What if: predicts the row with other values of one feature, in one batch, and draws the results.
import { barChart, lineChart } from "./plot.js";

const POINTS = 25;
const MAX_BYTES = 900_000; // the service accepts 1 MiB by default
const MAX_CATEGORIES = 30;
const MAX_CHARTS = 4; // one for each target

const along = document.getElementById("along");
const slider = document.getElementById("slider");
const plot = document.getElementById("plot");
let contract; // the response of /features
let sweep = {}; // the sweep on the page
const section = document.getElementById("what-if");

// Updates the section for the prediction on the page. `changed` is the index of the feature that the
// user changed last, or null; it is selected if its values can be varied.
export async function explore(changed) {
  const { row, answer } = document.getElementById("detail").dataset;
  section.hidden = row === undefined;
  if (section.hidden) return;
  try {
    contract ??= await (await fetchOrThrow(section.dataset.features)).json();
    listFeatures(JSON.parse(row), changed);
    section.hidden = along.options.length === 0;
    if (!section.hidden) await updateSweep(JSON.parse(row), JSON.parse(answer));
  } catch {
    section.hidden = true; // the prediction is shown without it
  }
}

// A 422 is no error: the model can fail on values that the contract accepts.
async function fetchOrThrow(url, options) {
  const response = await fetch(url, options);
  if (!response.ok && response.status !== 422) throw new Error(response.statusText);
  return response;
}

// Fills the list of features with those that have values to try.
function listFeatures(row, changed) {
  const indexes = contract.features.flatMap((feature, index) => (valuesToTry(feature, row[feature.name]).length > 1 ? [index] : []));
  if ([...along.options].map(({ value }) => value).join() !== indexes.join()) {
    const selected = along.value;
    along.replaceChildren(...indexes.map((index) => new Option(contract.features[index].name, index)));
    along.value = selected;
    if (along.selectedIndex < 0) along.selectedIndex = 0;
  }
  if (indexes.includes(changed)) along.value = String(changed);
}

// Returns the values of a feature to try; `present` is its value in the row. There are none for
// text, dates and features with too many categories.
function valuesToTry(feature, present, points = POINTS) {
  if (feature.type === "boolean") return [false, true];
  if (feature.categories) return feature.categories.length <= MAX_CATEGORIES ? feature.categories : [];
  if (!isNumeric(feature)) return [];
  const span = Math.max(Math.abs(present ?? 0), 1);
  let low = feature.minimum ?? Math.min(present ?? 0, feature.maximum ?? Infinity) - span;
  let high = feature.maximum ?? Math.max(present ?? 0, low) + span;
  if (present !== null && !feature.strict) [low, high] = [Math.min(low, present), Math.max(high, present)];
  const all = Array.from({ length: points }, (_, n) => low + ((high - low) * n) / (points - 1));
  const rounded = all.map((value) => (feature.type === "integer" ? Math.round(value) : Number(value.toPrecision(12))));
  return [...new Set(rounded)];
}

// Predicts the row with each value of the selected feature, and draws the result.
async function updateSweep(row, prediction) {
  const feature = contract.features[Number(along.value)];
  const otherValues = JSON.stringify({ ...row, [feature.name]: null });
  const points = Math.min(POINTS, Math.floor(MAX_BYTES / otherValues.length));
  const values = valuesToTry(feature, row[feature.name], Math.max(points, 2));
  // If only the selected feature changed, within its range, the line is the same: only the mark moves.
  if (sweep.feature !== feature || sweep.otherValues !== otherValues || String(sweep.values) !== String(values)) {
    const response = await fetchOrThrow(section.dataset.predict, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ rows: values.map((value) => ({ ...row, [feature.name]: value })) }),
    });
    const predictions = response.ok ? (await response.json()).predictions : null;
    sweep = { feature, otherValues, values, predictions, first: prediction };
  }
  sweep.present = row[feature.name];
  sweep.current = prediction;
  draw();
  updateSlider(feature, values, sweep.present);
}

function draw() {
  if (!sweep.predictions) {
    plot.textContent = "The model fails on some of these values.";
    return;
  }
  const { feature, values, present } = sweep;
  const targets = contract.output.targets ?? [null];
  plot.replaceChildren(
    ...targets.slice(0, MAX_CHARTS).map((target) => {
      const { name, toY, isProbability } = series(target);
      const ys = sweep.predictions.map(toY);
      const data = { name, feature: feature.name, xs: values, ys, isProbability, width: plot.clientWidth };
      const current = present === null ? null : { x: present, y: toY(sweep.current) };
      return isNumeric(feature) ? lineChart(data, current) : barChart(data, present);
    }),
  );
}

// Returns what to draw of a prediction: a probability, a number, or the class itself.
function series(target) {
  const { labels = {}, positive, name } = contract.output;
  const member = (prediction, key) => (target === null ? prediction[key] : prediction[key]?.[target]);
  const prefix = target === null ? "" : `${target}: `;
  const probabilities = member(sweep.first, "probabilities");
  if (probabilities) {
    // The contract's positive class, else the class that was predicted when the line was drawn.
    const drawnClass = positive ?? member(sweep.first, "prediction");
    const keys = Object.keys(probabilities); // JSON texts: the key of 1 can be "1.0"
    const key = keys.find((text) => text === String(drawnClass) || Number(text) === drawnClass) ?? keys.at(-1);
    return { name: `${prefix}probability of ${labels[key] ?? key}`, toY: (prediction) => member(prediction, "probabilities")[key], isProbability: true };
  }
  return { name: target ?? name, toY: (prediction) => member(prediction, "label") ?? member(prediction, "prediction"), isProbability: false };
}

function isNumeric(feature) {
  return feature.type === "number" || feature.type === "integer";
}

function updateSlider(feature, values, present) {
  document.getElementById("slide").hidden = !isNumeric(feature);
  if (!isNumeric(feature)) return;
  slider.min = values[0];
  slider.max = values.at(-1);
  slider.step = feature.type === "integer" ? 1 : Number(((values.at(-1) - values[0]) / 200).toPrecision(1));
  if (document.activeElement !== slider) slider.value = present ?? values[0];
}

slider.addEventListener("input", () => {
  const field = document.getElementById(`f${Number(along.value) + 1}`);
  field.value = slider.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

new ResizeObserver(() => {
  if (sweep.feature && plot.clientWidth) draw();
}).observe(plot.parentElement);
