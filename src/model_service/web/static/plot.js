// Line charts and histograms in SVG, bar charts in HTML. Sizes are attributes, colours are in style.css.

const HEIGHT = 200;
const MARGIN = { top: 28, right: 12, bottom: 24, left: 56 };
const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const numberFormat = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const percentFormat = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

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

function formatValue(value, isProbability) {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "number") return String(value);
  return (isProbability ? percentFormat : numberFormat).format(value);
}

function svgFrame(width, label) {
  return svgElement("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label });
}

// Returns a line through the numbers `xs` and the predictions `ys`, which are numbers or classes.
// `current` is the point {x, y} to mark, or null.
export function lineChart({ name, feature, xs, ys, isProbability, width }, current) {
  const allYs = current === null ? ys : [...ys, current.y];
  const classes = allYs.every((y) => y === null || typeof y === "number") ? null : [...new Set(allYs.map(String))];
  const height = (value) => (classes ? classes.indexOf(String(value)) : value);
  const numbers = allYs.map(height).filter((value) => value !== null);
  let [low, high] = isProbability ? [0, 1] : [Math.min(...numbers), Math.max(...numbers)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (value) => MARGIN.left + ((value - xs[0]) / (xs.at(-1) - xs[0])) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const ends = `from ${formatValue(ys[0], isProbability)} at ${formatValue(xs[0])} to ${formatValue(ys.at(-1), isProbability)} at ${formatValue(xs.at(-1))}`;
  const drawing = svgFrame(width, `${name} along ${feature}: ${ends}`);
  for (const value of classes ? classes.keys() : [low, (low + high) / 2, high]) {
    drawing.append(svgElement("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
    drawing.append(svgElement("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, classes ? classes[value] : formatValue(value, isProbability)));
  }
  drawing.append(
    svgElement("text", { x: width - MARGIN.right, y: 12, "text-anchor": "end" }, name),
    svgElement("text", { x: MARGIN.left, y: HEIGHT - 6 }, formatValue(xs[0])),
    svgElement("text", { x: width - MARGIN.right, y: HEIGHT - 6, "text-anchor": "end" }, formatValue(xs.at(-1))),
    svgElement("text", { x: width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, feature),
  );
  const points = xs.flatMap((value, n) => (ys[n] === null ? [] : [`${x(value)},${y(height(ys[n]))}`]));
  drawing.append(svgElement("polyline", { class: "line", points: points.join(" ") }));
  if (current !== null && current.y !== null) drawing.append(svgElement("circle", { class: "here", cx: x(current.x), cy: y(height(current.y)), r: 6 }));
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
