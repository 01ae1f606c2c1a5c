// What if one feature were another? A sweep along it, sent as one batch of rows.
import { bars, line } from "./plot.js";

const POINTS = 25;
const MOST_BYTES = 900_000; // a request may have 1 MiB
const MOST_CATEGORIES = 30;
const MOST_PLOTS = 4; // one a target

const along = document.getElementById("along");
const slider = document.getElementById("slider");
const plot = document.getElementById("plot");
let contract; // of /features, fetched once
let drawn = {}; // the sweep that is shown
const section = document.getElementById("what-if");

// Show how the answer of the page changes along a feature: the one at place `moved`, if it can.
export async function explore(moved) {
  const { row, answer } = document.getElementById("detail").dataset;
  section.hidden = row === undefined;
  if (section.hidden) return;
  try {
    contract ??= await (await asked(section.dataset.features)).json();
    offer(JSON.parse(row), moved);
    section.hidden = along.options.length === 0;
    if (!section.hidden) await sweep(JSON.parse(row), JSON.parse(answer));
  } catch {
    section.hidden = true; // the answer stands without it
  }
}

async function asked(address, options) {
  const response = await fetch(address, options);
  if (!response.ok && response.status !== 422) throw new Error(response.statusText);
  return response;
}

// Fill the list of features to move; the one that was typed in last is chosen.
function offer(row, moved) {
  const able = contract.features.flatMap((feature, place) => (values(feature, row[feature.name]).length > 1 ? [place] : []));
  if ([...along.options].map(({ value }) => value).join() !== able.join()) {
    const chosen = along.value;
    along.replaceChildren(...able.map((place) => new Option(contract.features[place].name, place)));
    along.value = chosen;
    if (along.selectedIndex < 0) along.selectedIndex = 0;
  }
  if (able.includes(moved)) along.value = String(moved);
}

// Return the values of a feature to try.
function values(feature, present, points = POINTS) {
  if (feature.type === "boolean") return [false, true];
  if (feature.categories) return feature.categories.length <= MOST_CATEGORIES ? feature.categories : [];
  if (!isNumeric(feature)) return [];
  const span = Math.max(Math.abs(present ?? 0), 1);
  let low = feature.minimum ?? Math.min(present ?? 0, feature.maximum ?? Infinity) - span;
  let high = feature.maximum ?? Math.max(present ?? 0, low) + span;
  if (present !== null && !feature.strict) [low, high] = [Math.min(low, present), Math.max(high, present)];
  const all = Array.from({ length: points }, (_, n) => low + ((high - low) * n) / (points - 1));
  const rounded = all.map((value) => (feature.type === "integer" ? Math.round(value) : Number(value.toPrecision(12))));
  return [...new Set(rounded)];
}

async function sweep(row, answer) {
  const feature = contract.features[Number(along.value)];
  const others = JSON.stringify({ ...row, [feature.name]: null });
  const points = Math.min(POINTS, Math.floor(MOST_BYTES / others.length));
  const tried = values(feature, row[feature.name], Math.max(points, 2));
  // While one feature moves within its range, the line stays and only the mark moves.
  if (drawn.feature !== feature || drawn.others !== others || String(drawn.tried) !== String(tried)) {
    const response = await asked(section.dataset.predict, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ rows: tried.map((value) => ({ ...row, [feature.name]: value })) }),
    });
    const predictions = response.ok ? (await response.json()).predictions : null;
    drawn = { feature, others, tried, predictions, first: answer };
  }
  drawn.present = row[feature.name];
  drawn.answer = answer;
  draw();
  slide(feature, tried, drawn.present);
}

function draw() {
  if (!drawn.predictions) {
    plot.textContent = "The model does not take all of these values.";
    return;
  }
  const { feature, tried, present } = drawn;
  const targets = contract.output.targets ?? [null];
  plot.replaceChildren(
    ...targets.slice(0, MOST_PLOTS).map((target) => {
      const { name, of, shares } = series(target);
      const about = { name, along: feature.name, xs: tried, ys: drawn.predictions.map(of), shares, width: plot.clientWidth };
      const here = present === null ? null : { x: present, y: of(drawn.answer) };
      return isNumeric(feature) ? line(about, here) : bars(about, present);
    }),
  );
}

// Return what is drawn of an answer: a probability, a number, or the class itself.
function series(target) {
  const { labels = {}, positive, name } = contract.output;
  const part = (answer, member) => (target === null ? answer[member] : answer[member]?.[target]);
  const where = target === null ? "" : `${target}: `;
  const shares = part(drawn.first, "probabilities");
  if (shares) {
    // The class that was predicted when the line was drawn, unless the contract has one in mind.
    const chosen = positive ?? part(drawn.first, "prediction");
    const classes = Object.keys(shares); // as JSON texts: 1 may be "1.0"
    const key = classes.find((text) => text === String(chosen) || Number(text) === chosen) ?? classes.at(-1);
    return { name: `${where}probability of ${labels[key] ?? key}`, of: (answer) => part(answer, "probabilities")[key], shares: true };
  }
  return { name: target ?? name, of: (answer) => part(answer, "label") ?? part(answer, "prediction"), shares: false };
}

function isNumeric(feature) {
  return feature.type === "number" || feature.type === "integer";
}

function slide(feature, tried, present) {
  document.getElementById("slide").hidden = !isNumeric(feature);
  if (!isNumeric(feature)) return;
  slider.min = tried[0];
  slider.max = tried.at(-1);
  slider.step = feature.type === "integer" ? 1 : Number(((tried.at(-1) - tried[0]) / 200).toPrecision(1));
  if (document.activeElement !== slider) slider.value = present ?? tried[0];
}

slider.addEventListener("input", () => {
  const field = document.getElementById(`f${Number(along.value) + 1}`);
  field.value = slider.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

new ResizeObserver(() => {
  if (drawn.feature && plot.clientWidth) draw();
}).observe(plot.parentElement);
