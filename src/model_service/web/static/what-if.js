// What if: predicts the row with other values of one feature at a time, and draws the results. The
// features that move this answer most come first.
import { barChart, bandChart, formatValue, lineChart, sparkline } from "./plot.js";

const POINTS = 25; // of a drawn line
const RANKING_POINTS = 6; // of each feature, to find those that move the answer
const MAX_RANKED = 60; // features; with more of them the request would take too long
const MOVERS = 5;
const MAX_BYTES = 900_000; // the service accepts 1 MiB by default
const MAX_ROWS = 1000;
const MAX_CATEGORIES = 30;
const MAX_CHARTS = 4; // one for each target

const along = document.getElementById("along");
const slider = document.getElementById("slider");
const moved = document.getElementById("moved");
const movers = document.getElementById("movers");
const plot = document.getElementById("plot");
const section = document.getElementById("what-if");
let contract; // the response of /features
let sweep = {}; // the sweep on the page
let hasChosen = false; // whether the user selected a feature

// Updates the section for the prediction on the page. `changed` is the index of the feature that the
// user changed last, or null.
export async function explore(changed) {
  const { row, answer } = document.getElementById("detail").dataset;
  section.hidden = row === undefined;
  if (section.hidden) return;
  try {
    contract ??= await (await fetchOrThrow(section.dataset.features)).json();
    await update(JSON.parse(row), JSON.parse(answer), changed);
  } catch {
    section.hidden = true; // the prediction is shown without it
  }
}

async function update(row, prediction, changed) {
  const indexes = variable(row);
  section.hidden = indexes.length === 0;
  if (section.hidden) return;
  listFeatures(indexes);
  // While a value moves along its own line, the order of the others stays.
  if (changed === null || String(changed) !== along.value || !sweep.feature) {
    await rank(row, prediction, indexes);
  }
  await updateSweep(row, prediction);
}

// A 422 is no error: the model can fail on values that the contract accepts.
async function fetchOrThrow(url, options) {
  const response = await fetch(url, options);
  if (!response.ok && response.status !== 422) throw new Error(response.statusText);
  return response;
}

// Returns the predictions of rows, or null if the model fails on some of them.
async function predictRows(rows) {
  const response = await fetchOrThrow(section.dataset.predict, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ rows }),
  });
  return response.ok ? (await response.json()).predictions : null;
}

// Returns the indexes of the features that have values to try.
function variable(row) {
  return contract.features.flatMap((feature, index) => (valuesToTry(feature, index, row[feature.name]).length > 1 ? [index] : []));
}

function listFeatures(indexes) {
  if ([...along.options].map(({ value }) => value).join() === indexes.join()) return;
  const selected = along.value;
  along.replaceChildren(...indexes.map((index) => new Option(titleOf(index), index)));
  along.value = selected;
  if (along.selectedIndex < 0) along.selectedIndex = 0;
}

// Returns the feature's title, which its label shows.
function titleOf(index) {
  const control = document.getElementById(`f${index + 1}`);
  const label = control?.labels?.[0] ?? control?.querySelector("legend");
  return label?.firstChild?.textContent.trim() || contract.features[index].name;
}

// Predicts the row with some values of each feature in one request, and shows those that move the
// answer most.
async function rank(row, prediction, indexes) {
  movers.replaceChildren();
  const size = JSON.stringify(row).length;
  const points = Math.min(RANKING_POINTS, Math.floor(Math.min(MAX_ROWS, MAX_BYTES / size) / indexes.length));
  if (indexes.length > MAX_RANKED || indexes.length < 2 || points < 2) return;
  const tried = indexes.map((index) => {
    const feature = contract.features[index];
    return { index, feature, values: valuesToTry(feature, index, row[feature.name], points).slice(0, RANKING_POINTS * 2) };
  });
  const rows = tried.flatMap(({ feature, values }) => values.map((value) => ({ ...row, [feature.name]: value })));
  const predictions = rows.length <= MAX_ROWS ? await predictRows(rows) : null;
  if (!predictions) return;
  const { toY, isProbability } = series((contract.output.targets ?? [null])[0], prediction);
  let start = 0;
  for (const each of tried) {
    each.ys = predictions.slice(start, (start += each.values.length)).map(toY);
    each.spread = spreadOf(each.ys);
  }
  const largest = tried.filter(({ spread }) => spread > 0).sort((a, b) => b.spread - a.spread).slice(0, MOVERS);
  if (!hasChosen && largest.length) along.value = String(largest[0].index);
  movers.replaceChildren(...largest.map((each) => moverButton(each, isProbability)));
}

// Returns how far an answer moves: the range of numbers, or how many different classes there are.
function spreadOf(ys) {
  const known = ys.filter((y) => y !== null && y !== undefined);
  if (known.every((y) => typeof y === "number") && section.dataset.task !== "clustering") {
    return known.length ? Math.max(...known) - Math.min(...known) : 0;
  }
  return new Set(known.map(String)).size - 1;
}

function moverButton({ index, ys }, isProbability) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "mover";
  button.dataset.index = index;
  button.setAttribute("aria-pressed", String(along.value === String(index)));
  const name = document.createElement("span");
  name.textContent = titleOf(index);
  const ends = document.createElement("span");
  ends.className = "number";
  const numbers = ys.filter((y) => typeof y === "number");
  ends.textContent = isClasses(ys)
    ? [...new Set(ys.map(String))].join(", ")
    : rangeText(Math.min(...numbers), Math.max(...numbers), isProbability);
  button.append(name, sparkline(ys, isClasses(ys)), ends);
  button.addEventListener("click", () => choose(index));
  return button;
}

function rangeText(low, high, isProbability) {
  if (isProbability) return `${Math.round(100 * low)} to ${Math.round(100 * high)} %`;
  return `${formatValue(low)} to ${formatValue(high)}`;
}

function choose(index) {
  along.value = String(index);
  along.dispatchEvent(new Event("change", { bubbles: true }));
}

along.addEventListener("change", async () => {
  hasChosen = true;
  const { row, answer } = document.getElementById("detail").dataset;
  if (row === undefined || !contract) return;
  try {
    await updateSweep(JSON.parse(row), JSON.parse(answer));
  } catch {
    section.hidden = true;
  }
});

// Returns the values of a feature to try; `present` is its value in the row. There are none for
// text, dates and features with too many categories.
function valuesToTry(feature, index, present, points = POINTS) {
  if (feature.type === "boolean") return [false, true];
  if (feature.categories) return feature.categories.length <= MAX_CATEGORIES ? feature.categories : [];
  if (!isNumeric(feature)) return [];
  const span = Math.max(Math.abs(present ?? 0), 1);
  let low = feature.minimum ?? Math.min(present ?? 0, feature.maximum ?? Infinity) - span;
  let high = feature.maximum ?? Math.max(present ?? 0, low) + span;
  if (present !== null && !feature.strict) {
    // A value far outside would squeeze the range of the sample into a corner: it is not drawn.
    const width = high - low || 1;
    if (present >= low - width && present <= high + width) [low, high] = [Math.min(low, present), Math.max(high, present)];
  }
  const all = Array.from({ length: points }, (_, n) => low + ((high - low) * n) / (points - 1));
  return [...new Set(all.map((value) => (isWhole(index) ? Math.round(value) : Number(value.toPrecision(12)))))];
}

function isWhole(index) {
  return contract.features[index].type === "integer" || document.getElementById(`f${index + 1}`)?.dataset.whole !== undefined;
}

// Predicts the row with each value of the selected feature, and draws the result. If only the
// selected feature changed, the line is the same and only the mark on it moves.
let waiting = Promise.resolve();
function updateSweep(row, prediction) {
  waiting = waiting.catch(() => {}).then(() => sweepOnce(row, prediction));
  return waiting;
}

async function sweepOnce(row, prediction) {
  const index = Number(along.value);
  const feature = contract.features[index];
  const otherValues = JSON.stringify({ ...row, [feature.name]: null });
  const points = Math.max(2, Math.min(POINTS, Math.floor(MAX_BYTES / otherValues.length)));
  const values = valuesToTry(feature, index, row[feature.name], points);
  if (sweep.feature !== feature || sweep.otherValues !== otherValues || String(sweep.values) !== String(values)) {
    const predictions = await predictRows(values.map((value) => ({ ...row, [feature.name]: value })));
    sweep = { index, feature, otherValues, values, predictions, first: prediction };
  }
  sweep.present = row[feature.name];
  sweep.current = prediction;
  for (const button of movers.children) button.setAttribute("aria-pressed", String(button.dataset.index === along.value));
  draw();
  updateSlider();
}

function draw() {
  if (!sweep.predictions) {
    plot.textContent = "The model fails on some of these values.";
    return;
  }
  const { feature, index, values, present } = sweep;
  const targets = contract.output.targets ?? [null];
  plot.replaceChildren(
    ...targets.slice(0, MAX_CHARTS).map((target) => {
      const { name, toY, isProbability } = series(target, sweep.first);
      const ys = sweep.predictions.map(toY);
      const data = { name, feature: titleOf(index), xs: values, ys, isProbability, width: plot.clientWidth };
      const current = present === null ? null : { x: present, y: toY(sweep.current) };
      if (!isNumeric(feature)) return barChart(data, present);
      return isClasses(ys) ? bandChart(data, current) : lineChart(data, current);
    }),
  );
}

// Clusters have numbers, but 2 is not between 1 and 3.
function isClasses(ys) {
  return ["clustering", "outlier"].includes(section.dataset.task) || ys.some((y) => y !== null && typeof y !== "number");
}

// Returns what to draw of a prediction: a probability, a number, or the class itself.
function series(target, first) {
  const { labels = {}, positive, name } = contract.output;
  const member = (prediction, key) => (target === null ? prediction[key] : prediction[key]?.[target]);
  const prefix = target === null ? "" : `${target}: `;
  const probabilities = member(first, "probabilities");
  if (probabilities) {
    // The contract's positive class, else the class that was predicted when the line was drawn.
    const drawnClass = positive ?? member(first, "prediction");
    const keys = Object.keys(probabilities); // JSON texts: the key of 1 can be "1.0"
    const key = keys.find((text) => text === String(drawnClass) || Number(text) === drawnClass) ?? keys.at(-1);
    return { name: `${prefix}probability of ${labels[key] ?? key}`, toY: (prediction) => member(prediction, "probabilities")[key], isProbability: true };
  }
  return { name: target ?? name, toY: (prediction) => member(prediction, "label") ?? member(prediction, "prediction"), isProbability: false };
}

function isNumeric(feature) {
  return feature.type === "number" || feature.type === "integer";
}

function updateSlider() {
  const { index, feature, values, present, current } = sweep;
  document.getElementById("slide").hidden = !isNumeric(feature);
  if (!isNumeric(feature)) return;
  slider.min = values[0];
  slider.max = values.at(-1);
  const step = Number(((values.at(-1) - values[0]) / 200).toPrecision(1));
  slider.step = isWhole(index) ? Math.max(1, Math.round(step)) : step;
  if (document.activeElement !== slider) slider.value = present ?? values[0];
  const { toY, isProbability } = series((contract.output.targets ?? [null])[0], sweep.first);
  const text = `${present === null ? "unknown" : formatValue(present)} → ${formatValue(toY(current), isProbability)}`;
  moved.textContent = `${titleOf(index)}: ${text}`;
  slider.setAttribute("aria-valuetext", text);
}

slider.addEventListener("input", () => {
  const field = document.getElementById(`f${Number(along.value) + 1}`);
  field.value = slider.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

new ResizeObserver(() => {
  if (sweep.feature && plot.clientWidth) draw();
}).observe(plot.parentElement);
