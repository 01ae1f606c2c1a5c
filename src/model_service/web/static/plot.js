// Line charts and histograms in SVG, bar charts in HTML. Sizes are attributes, colours are in style.css.

const HEIGHT = 200;
const MARGIN = { top: 28, right: 12, bottom: 24, left: 56 };
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const numberFormat = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const longFormat = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const plainFormat = new Intl.NumberFormat("en", { maximumSignificantDigits: 4, useGrouping: false });

function svgElement(name, attributes, text) {
  const element = document.createElementNS(SVG_NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function htmlElement(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// Numbers as the server writes them: four significant digits or all before the point, and no
// separator below 10,000, which can be a year.
export function formatValue(value, isProbability = false) {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "number") return String(value);
  if (isProbability) return `${(100 * value).toFixed(1)} %`;
  if (Math.abs(value) < 10_000) return plainFormat.format(value);
  return (Math.abs(value) < 1e15 ? longFormat : numberFormat).format(value);
}

// Returns round numbers that lie between two: 0, 50,000, 100,000.
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const found = [];
  for (let n = first; n * step <= high + step * 1e-9; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

function svgFrame(width, label) {
  return svgElement("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label });
}

// Returns a line through the numbers `xs` and the predictions `ys`, which are numbers.
// `current` is the point {x, y} to mark, or null.
export function lineChart({ name, feature, xs, ys, isProbability, width }, current) {
  const known = [...ys, current?.y].filter((y) => typeof y === "number");
  let [low, high] = isProbability ? [0, 1] : [Math.min(...known), Math.max(...known)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = horizontal(xs, width);
  const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const ends = `from ${formatValue(ys[0], isProbability)} at ${formatValue(xs[0])} to ${formatValue(ys.at(-1), isProbability)} at ${formatValue(xs.at(-1))}`;
  const drawing = svgFrame(width, `${name} along ${feature}: ${ends}`);
  for (const value of ticks(low, high, 4)) {
    drawing.append(svgElement("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
    drawing.append(svgElement("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, isProbability ? `${Math.round(100 * value)} %` : formatValue(value)));
  }
  drawing.append(...frameTexts(name, feature, xs, width));
  const points = xs.flatMap((value, n) => (typeof ys[n] === "number" ? [`${x(value)},${y(ys[n])}`] : []));
  drawing.append(svgElement("polyline", { class: "line", points: points.join(" ") }));
  if (isInside(current, xs) && typeof current.y === "number") drawing.append(svgElement("circle", { class: "here", cx: x(current.x), cy: y(current.y), r: 6 }));
  addReading(drawing, xs, ys, x, isProbability);
  return drawing;
}

// Returns a band for each run of the same class along the numbers `xs`.
export function bandChart({ name, feature, xs, ys, width }, current) {
  const x = horizontal(xs, width);
  const runs = [];
  ys.forEach((value, n) => {
    const text = formatValue(value);
    if (runs.at(-1)?.text !== text) runs.push({ text, start: n });
    runs.at(-1).end = n;
  });
  const kinds = [...new Set(runs.map(({ text }) => text))];
  const drawing = svgFrame(width, `${name} along ${feature}: ${runs.map(({ text, start, end }) => `${text} from ${formatValue(xs[start])} to ${formatValue(xs[end])}`).join(", ")}`);
  const [top, height] = [MARGIN.top + 20, HEIGHT - MARGIN.top - MARGIN.bottom - 40];
  runs.forEach(({ text, start, end }, n) => {
    // Between two points the class changes somewhere: in the middle, as far as is known.
    const left = n === 0 ? x(xs[0]) : (x(xs[start - 1]) + x(xs[start])) / 2;
    const right = n === runs.length - 1 ? x(xs.at(-1)) : (x(xs[end]) + x(xs[end + 1])) / 2;
    drawing.append(svgElement("rect", { class: kinds.indexOf(text) % 2 ? "band odd" : "band", x: left, y: top, width: Math.max(right - left - 1, 1), height }));
    if (right - left > 8 * text.length) drawing.append(svgElement("text", { class: "of-band", x: (left + right) / 2, y: top + height / 2 + 4, "text-anchor": "middle" }, text));
  });
  drawing.append(...frameTexts(name, feature, xs, width));
  if (isInside(current, xs)) drawing.append(svgElement("line", { class: "mark", x1: x(current.x), x2: x(current.x), y1: top - 8, y2: top + height + 8 }));
  addReading(drawing, xs, ys, x, false);
  return drawing;
}

function horizontal(xs, width) {
  return (value) => MARGIN.left + ((value - xs[0]) / (xs.at(-1) - xs[0])) * (width - MARGIN.left - MARGIN.right);
}

function isInside(current, xs) {
  return current !== null && current.x >= xs[0] && current.x <= xs.at(-1);
}

function frameTexts(name, feature, xs, width) {
  const isShort = 7 * feature.length < width - 240; // between the numbers at both ends
  return [
    svgElement("text", { x: width - MARGIN.right, y: 12, "text-anchor": "end" }, name),
    svgElement("text", { x: MARGIN.left, y: HEIGHT - 6 }, formatValue(xs[0])),
    svgElement("text", { x: width - MARGIN.right, y: HEIGHT - 6, "text-anchor": "end" }, formatValue(xs.at(-1))),
    svgElement("text", { x: width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, isShort ? feature : ""),
  ];
}

// Shows the nearest point under the pointer; the slider does the same for the keyboard.
function addReading(drawing, xs, ys, x, isProbability) {
  const line = svgElement("line", { class: "reading", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
  const text = svgElement("text", { class: "reading", y: 12, x: MARGIN.left });
  line.setAttribute("visibility", "hidden");
  drawing.append(line, text);
  drawing.addEventListener("pointermove", (event) => {
    const at = event.clientX - drawing.getBoundingClientRect().left;
    const n = xs.reduce((best, value, i) => (Math.abs(x(value) - at) < Math.abs(x(xs[best]) - at) ? i : best), 0);
    line.setAttribute("visibility", "visible");
    line.setAttribute("x1", x(xs[n]));
    line.setAttribute("x2", x(xs[n]));
    text.textContent = `${formatValue(xs[n])} → ${formatValue(ys[n], isProbability)}`;
  });
  drawing.addEventListener("pointerleave", () => {
    text.textContent = "";
    line.setAttribute("visibility", "hidden");
  });
}

// Returns a small line without axes, or for classes a point for each value.
export function sparkline(ys, isClasses) {
  const [WIDTH, TALL] = [72, 20];
  const kinds = [...new Set(ys.map(String))];
  const heights = ys.map((y) => (typeof y === "number" ? y : kinds.indexOf(String(y))));
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  const points = heights.map((y, n) => `${(n / (heights.length - 1)) * (WIDTH - 4) + 2},${TALL - 2 - ((y - low) / (high - low || 1)) * (TALL - 4)}`);
  const drawing = svgElement("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${TALL}`, width: WIDTH, height: TALL, "aria-hidden": "true" });
  if (isClasses) drawing.append(...points.map((point) => svgElement("circle", { cx: point.split(",")[0], cy: point.split(",")[1], r: 2 })));
  else drawing.append(svgElement("polyline", { class: "line", points: points.join(" ") }));
  return drawing;
}

// Returns a bar for each category of `xs`; the bar of `current` is highlighted.
export function barChart({ name, feature, xs, ys, isProbability }, current) {
  const largest = isProbability ? 1 : Math.max(...ys.map((y) => (typeof y === "number" ? Math.abs(y) : 0)));
  const list = htmlElement("dl", "bars");
  list.setAttribute("aria-label", `${name} by ${feature}`);
  xs.forEach((value, n) => {
    const bar = svgElement("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (typeof ys[n] === "number" && largest) {
      bar.append(svgElement("rect", { width: (100 * Math.abs(ys[n])) / largest, height: 1 }));
    }
    const text = htmlElement("span", "number", formatValue(ys[n], isProbability));
    list.append(htmlElement("div", value === current ? "predicted" : "", htmlElement("dt", "", String(value)), htmlElement("dd", "", bar, text)));
  });
  return htmlElement("div", "", htmlElement("p", "hint", name), list);
}

// Returns a histogram of numbers.
export function histogram(values, width, name) {
  const BINS = 20;
  let [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const counts = new Array(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))] += 1;
  const highest = Math.max(...counts);
  const drawing = svgFrame(width, `${name}: from ${formatValue(low)} to ${formatValue(high)}`);
  const step = (width - MARGIN.left - MARGIN.right) / BINS;
  counts.forEach((count, n) => {
    const height = (count / highest) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    drawing.append(svgElement("rect", { class: "bar", x: MARGIN.left + n * step + 1, width: step - 2, y: HEIGHT - MARGIN.bottom - height, height }));
  });
  drawing.append(
    svgElement("text", { x: MARGIN.left, y: HEIGHT - 6 }, formatValue(low)),
    svgElement("text", { x: width - MARGIN.right, y: HEIGHT - 6, "text-anchor": "end" }, formatValue(high)),
  );
  return drawing;
}
