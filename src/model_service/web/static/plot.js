// Small plots in SVG and bars in HTML; sizes are attributes, colours are the stylesheet's.

const HEIGHT = 200;
const MARGIN = { top: 28, right: 12, bottom: 24, left: 56 };
const NS = "http://www.w3.org/2000/svg";
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

function svg(name, attributes, text) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function html(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function say(value, shares) {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "number") return String(value);
  return (shares ? percent : short).format(value);
}

function frame(width, label) {
  return svg("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label });
}

// Draw ys (numbers, or classes as steps) along the numbers xs, with a mark at `here`, an x and a y.
export function line({ name, along, xs, ys, shares, width }, here) {
  const all = here === null ? ys : [...ys, here.y];
  const classes = all.every((y) => y === null || typeof y === "number") ? null : [...new Set(all.map(String))];
  const height = (value) => (classes ? classes.indexOf(String(value)) : value);
  const numbers = all.map(height).filter((value) => value !== null);
  let [low, high] = shares ? [0, 1] : [Math.min(...numbers), Math.max(...numbers)];
  if (low === high) [low, high] = [low - 1, high + 1];
  const x = (value) => MARGIN.left + ((value - xs[0]) / (xs.at(-1) - xs[0])) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const ends = `from ${say(ys[0], shares)} at ${say(xs[0])} to ${say(ys.at(-1), shares)} at ${say(xs.at(-1))}`;
  const drawing = frame(width, `${name} along ${along}: ${ends}`);
  for (const value of classes ? classes.keys() : [low, (low + high) / 2, high]) {
    drawing.append(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
    drawing.append(svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, classes ? classes[value] : say(value, shares)));
  }
  drawing.append(
    svg("text", { x: width - MARGIN.right, y: 12, "text-anchor": "end" }, name),
    svg("text", { x: MARGIN.left, y: HEIGHT - 6 }, say(xs[0])),
    svg("text", { x: width - MARGIN.right, y: HEIGHT - 6, "text-anchor": "end" }, say(xs.at(-1))),
    svg("text", { x: width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, along),
  );
  const points = xs.flatMap((value, n) => (ys[n] === null ? [] : [`${x(value)},${y(height(ys[n]))}`]));
  drawing.append(svg("polyline", { class: "line", points: points.join(" ") }));
  if (here !== null && here.y !== null) drawing.append(svg("circle", { class: "here", cx: x(here.x), cy: y(height(here.y)), r: 6 }));
  return drawing;
}

// Draw a bar for each category of xs; the one that is `here` stands out.
export function bars({ name, along, xs, ys, shares }, here) {
  const largest = shares ? 1 : Math.max(...ys.map((y) => (typeof y === "number" ? Math.abs(y) : 0)));
  const list = html("dl", "bars");
  list.setAttribute("aria-label", `${name} by ${along}`);
  xs.forEach((value, n) => {
    const bar = svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    if (typeof ys[n] === "number" && largest) {
      bar.append(svg("rect", { width: (100 * Math.abs(ys[n])) / largest, height: 1 }));
    }
    const said = html("span", "number", say(ys[n], shares));
    list.append(html("div", value === here ? "predicted" : "", html("dt", "", String(value)), html("dd", "", bar, said)));
  });
  return html("div", "", html("p", "hint", name), list);
}

// Draw how often values occur in equal bins.
export function histogram(values, width, name) {
  const BINS = 20;
  let [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const counts = new Array(BINS).fill(0);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))] += 1;
  const most = Math.max(...counts);
  const drawing = frame(width, `${name}: from ${say(low)} to ${say(high)}`);
  const step = (width - MARGIN.left - MARGIN.right) / BINS;
  counts.forEach((count, n) => {
    const height = (count / most) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    drawing.append(svg("rect", { class: "bar", x: MARGIN.left + n * step + 1, width: step - 2, y: HEIGHT - MARGIN.bottom - height, height }));
  });
  drawing.append(
    svg("text", { x: MARGIN.left, y: HEIGHT - 6 }, say(low)),
    svg("text", { x: width - MARGIN.right, y: HEIGHT - 6, "text-anchor": "end" }, say(high)),
  );
  return drawing;
}
