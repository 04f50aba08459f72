"use strict";
// The window explorer: DATA is { size, layers, square }, a layer is
// { kernel, stride, padding, dilation, ceil }.

// ------------------------------- arithmetic, with the words of arithmetic/sizes.py

function whole(name, value, least) {
  if (!Number.isInteger(value)) {
    const shown = value === "" ? "''" : value;
    throw new Error(`${name} must be a whole number, but is ${shown}.`);
  }
  if (value < least) {
    throw new Error(`${name} must be at least ${least}, but is ${value}.`);
  }
}

// A window's way along one dimension, as the class Sweep has it.
function sweep(size, { kernel, stride, padding, dilation, ceil }) {
  const numbers = { size, kernel_size: kernel, stride, dilation };
  Object.entries(numbers).forEach(([name, value]) => whole(name, value, 1));
  whole("padding", padding, 0);
  const span = dilation * (kernel - 1) + 1, room = size + 2 * padding - span;
  const fit = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  // Rounded up, the last window must start in the input or in the padding before it.
  const starts = Math.floor((padding + size - 1) / stride) + 1;
  const positions = ceil ? Math.min(fit, starts) : fit;
  const left = room - (positions - 1) * stride;
  const taken = dilation > 1 ? `${dilation}·(${kernel} − 1) − 1` : kernel;
  const result = positions.toLocaleString("en-US").replace("-", "−");
  const [open, close] = ceil ? "⌈⌉" : "⌊⌋";
  let working = `${open}(${size} − ${taken} + 2·${padding})/${stride}${close} + 1`;
  working += fit === positions ? ` = ${result}` : ` − ${fit - positions} = ${result}`
    + " (the last window would start past the input and is dropped)";
  if (positions < 1) {
    const fits = span - 2 * padding;
    const least = Math.max(1, ceil ? Math.max(fits - stride + 1, 1 - padding) : fits);
    const spans = dilation > 1 ? ` with dilation ${dilation} spans ${span} and` : "";
    const place = padding ? `${size} padded to ${size + 2 * padding}` : size;
    throw new Error(`A window of ${kernel}${spans} does not fit into ${place}: `
      + `${working}. The smallest size that works is ${least}.`);
  }
  return { kernel, stride, padding, dilation, span, size, positions, working,
    leftover: Math.max(0, left), overhang: Math.max(0, 0 - left) };
}

// The layers that fit, each with its field in the input, as the class Field has it,
// and the error of the first that doesn't fit.
function stack(size, layers) {
  const rows = [];
  let now = size, field = { size: 1, jump: 1, offset: 0 };
  for (const layer of layers) {
    try {
      const row = sweep(now, layer), { jump } = field;
      field = { size: field.size + (row.span - 1) * jump, jump: jump * row.stride,
        offset: field.offset - row.padding * jump };
      rows.push({ ...row, field });
      now = row.positions;
    } catch (error) {
      return { rows, error: error.message };
    }
  }
  return { rows, error: "" };
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

// Which cells of each map, the input first, some units of the last map depend on.
function reached(rows, units) {
  const maps = [units];
  for (const row of [...rows].reverse()) {
    const real = maps[0].filter((unit) => unit >= 0 && unit < row.positions);
    const cells = real.flatMap((unit) => range(0, row.kernel)
      .map((tap) => unit * row.stride - row.padding + tap * row.dilation));
    maps.unshift([...new Set(cells)].sort((a, b) => a - b));
  }
  return maps;
}

// The input and every map: how many cells, the padding put round them, where they are
// drawn, and which of them the last map never reads.
function mapsOf(rows) {
  const read = reached(rows, range(0, rows.at(-1).positions));
  const input = { positions: rows[0].size, field: { size: 1, jump: 1, offset: 0 } };
  return [input, ...rows].map(({ positions: count, field }, m) => {
    const { padding, overhang } = rows[m] ?? { padding: 0, overhang: 0 };
    const known = new Set(read[m]), middle = field.offset + field.size / 2;
    return {
      count, padding, jump: field.jump, end: count + padding + overhang,
      unread: range(0, count).filter((i) => !known.has(i)),
      left: (i) => middle + (i - 0.5) * field.jump, // of cell i, in pixels
    };
  });
}

function runs(cells) {
  const found = [];
  for (const cell of cells) {
    if (found.at(-1)?.[1] === cell) found.at(-1)[1] += 1;
    else found.push([cell, cell + 1]);
  }
  return found;
}

// ------------------------------------------------------------------------ pictures

const HIGH = 22, LANES = 72, NUMBER = 26; // pixels of the screen
const MOST = 1000; // cells that are drawn
const rounded = (n) => Math.round(100 * n) / 100;
const box = (x, y, wide, high) => `M${rounded(x)} ${rounded(y)}h${rounded(wide)}`
  + `v${rounded(high)}h${-rounded(wide)}z`;
const path = (look, shapes) =>
  (shapes.length ? `<path class="${look}" d="${shapes.join("")}"/>` : "");
const text = (x, y, words, anchor = "start") =>
  `<text x="${rounded(x)}" y="${y}" text-anchor="${anchor}">${words}</text>`;
const svg = (width, height, inner) =>
  `<svg width="${width}" height="${height}" aria-hidden="true">${inner}</svg>`;
const extent = (maps) => [Math.min(...maps.map((map) => map.left(-map.padding))),
  Math.max(...maps.map((map) => map.left(map.end)))];

// Strips for the input and each map, one below the other, each unit under the middle
// of what it reads; between them a bar for each window. From `from` to `to`, in pixels.
function strips(rows, maps, unit, [from, to], width) {
  const scale = width / (to - from), chosen = reached(rows, [unit]);
  let y = 0, drawn = "";
  maps.forEach((map, m) => {
    const wide = map.jump * scale, x = (i) => (map.left(i) - from) * scale;
    const strip = (look, cells) => path(look,
      runs(cells).map(([a, b]) => box(x(a), y + 18, (b - a) * wide, HIGH)));
    const padded = range(-map.padding, map.count + map.padding);
    const inside = padded.filter((i) => x(i + 1) > 0 && x(i) < width && wide > 5);
    const named = inside.filter((i) => i >= 0 && i < map.count && wide > NUMBER);
    drawn += text(0, y + 13, `${m ? `map ${m}` : "input"}: ${map.count}`)
      + strip("padding", padded) + strip("pixel", range(0, map.count))
      + strip("unread", map.unread) + strip("chosen", chosen[m])
      + path("grid", inside.map((i) => box(x(i), y + 18, wide, HIGH)))
      + named.map((i) => text(x(i) + wide / 2, y + 34, i, "middle")).join("");
    y += HIGH + 21;
    if (m === rows.length) return;
    drawn += bars(rows[m], x, wide, y, chosen[m + 1]);
    y += Math.min(LANES, 9 * lanesOf(rows[m])) + 4;
  });
  return svg(width, y, drawn);
}

const lanesOf = (row) => Math.min(row.positions, Math.ceil(row.span / row.stride));

function bars(row, x, wide, y, chosen) {
  const lanes = lanesOf(row), high = Math.min(9, LANES / lanes);
  const taps = row.dilation === 1 ? [0] : range(0, row.kernel);
  const each = row.dilation === 1 ? row.span : 1;
  const looks = { window: [], chosen: [] };
  for (const unit of range(0, row.positions)) {
    const start = unit * row.stride - row.padding, top = y + (unit % lanes) * high;
    looks[chosen.includes(unit) ? "chosen" : "window"].push(
      box(x(start), top + 0.3 * high, row.span * wide, 0.2 * high), // a thread for taps
      ...taps.map((tap) => box(x(start + tap * row.dilation) + 0.5, top,
        each * wide - 1, 0.8 * high)));
  }
  return path("window", looks.window) + path("chosen", looks.chosen);
}

// One row: the whole of it, and, where its cells are small, a part enlarged.
function oneRow(rows, maps, unit, width) {
  const whole = extent(maps), cells = Math.floor(width / (NUMBER + 1));
  const drawn = strips(rows, maps, unit, whole, width);
  if (whole[1] - whole[0] < 1.5 * cells) return drawn;
  const { size, jump, offset } = rows.at(-1).field;
  const from = Math.round(offset + unit * jump + (size - cells) / 2);
  const start = Math.max(whole[0], Math.min(from, whole[1] - cells));
  const part = strips(rows, maps, unit, [start, start + cells], width);
  return `${drawn}<p>Enlarged:</p>${part}`;
}

// The input from above, and the last map beside it or, where it is narrow, below.
function squares(rows, maps, [row, column], width) {
  const [from, to] = extent(maps), last = maps.at(-1), { count, padding } = maps[0];
  const side = Math.min(width - 4, 420), scale = side / (to - from);
  const at = (place) => 2 + (place - from) * scale;
  const block = (top, left, down, across) =>
    box(at(left), at(top), across * scale, down * scale);
  const grid = (first, places, draw, cell) => (cell < 5
    ? [draw(first, first, places, places)] : range(first, first + places).flatMap(
      (i) => [draw(i, first, 1, places), draw(first, i, places, 1)]));
  const padded = count + 2 * padding, { size, jump, offset } = rows.at(-1).field;
  const bands = runs(maps[0].unread)
    .flatMap(([a, b]) => [block(a, 0, b - a, count), block(0, a, count, b - a)]);
  const [downs, acrosses] = [row, column].map((i) => runs(reached(rows, [i])[0]));
  const read = downs.flatMap(([top, bottom]) => acrosses
    .map(([left, right]) => block(top, left, bottom - top, right - left)));
  const frame = (down, across) => (Math.max(down, across) < last.count
    ? block(offset + down * jump, offset + across * jump, size, size) : "");
  const middles = last.jump * scale < 4 ? [] : range(0, last.count)
    .map((i) => rounded((at(last.left(i)) + at(last.left(i + 1))) / 2));
  const cell = Math.min(scale, side / last.count), high = cell * last.count;
  const [x, y] = side + 24 + high < width ? [side + 24, 20] : [2, side + 26];
  const unit = (top, left, down, across) =>
    box(x + left * cell, y + top * cell, across * cell, down * cell);
  return svg(width, Math.max(side + 4, y + high + 2),
    path("padding", [block(-padding, -padding, padded, padded)])
    + path("pixel", [block(0, 0, count, count), unit(0, 0, last.count, last.count)])
    + path("unread", bands) + path("grid", grid(-padding, padded, block, scale))
    + path("grid", grid(0, last.count, unit, cell))
    + path("chosen", [...read, unit(row, column, 1, 1)])
    + path("next", [frame(row, column + 1), frame(row + 1, column)])
    + path("frame", [frame(row, column)])
    + path("dots", middles.flatMap((b) => middles.map((a) => `M${a} ${b}h0`)))
    + text(x, y - 6, `map ${rows.length}: ${last.count}×${last.count}`));
}

// --------------------------------------------------------------------------- words

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

// What happens at the end, in the words of plots/windows.py.
function rest(row, noun) {
  if (row.overhang) return `${row.overhang} over the edge`;
  const zeros = Math.min(row.leftover, row.padding), cells = row.leftover - zeros;
  const parts = [cells && counted(cells, noun), zeros && counted(zeros, "zero")];
  return row.leftover ? `left over: ${parts.filter(Boolean).join(", ")}` : "";
}

// Which pixels a unit reads, in one dimension.
function reading(rows, unit, noun) {
  const cells = reached(rows, [unit])[0].filter((i) => i >= 0 && i < rows[0].size);
  const { size } = rows.at(-1).field;
  const wider = size === cells.length ? "" : ` of a field of ${size}`;
  const ends = cells.length ? `, from ${cells[0]} to ${cells.at(-1)}` : "";
  return counted(cells.length, noun) + wider + ends;
}

// ------------------------------------------------------------------------ the page

const SETTINGS = [["kernel", "Kernel", 1, 15], ["stride", "Stride", 1, 8],
  ["padding", "Padding", 0, 8], ["dilation", "Dilation", 1, 5]];
const NEW = { kernel: 3, stride: 1, padding: 0, dilation: 1, ceil: false };
function setting(key, label, least, most, value) {
  const common = `data-key="${key}" min="${least}" value="${value}"`;
  return `<p class="setting"><label>${label} <input type="number" ${common}></label>
    <input type="range" aria-label="${label}, slider" ${common}
      max="${Math.max(most, value)}"></p>`;
}

function layerSettings(layer, n) {
  const settings = SETTINGS.map(([key, ...of]) => setting(key, ...of, layer[key]));
  return `<fieldset class="layer"><legend>Layer ${n + 1}</legend><div class="settings">
    ${settings.join("")}<label><input type="checkbox" ${layer.ceil ? "checked" : ""}>
    round up</label></div><p class="line"></p></fieldset>`;
}

const the = (selector) => document.querySelector(selector);
const typed = (input) => (input.value === "" ? "" : Number(input.value));

function layerOf(fieldset) {
  const numbers = [...fieldset.querySelectorAll("[type=number]")];
  const layer = Object.fromEntries(numbers.map((i) => [i.dataset.key, typed(i)]));
  return { ...layer, ceil: fieldset.querySelector("[type=checkbox]").checked };
}

const start = DATA.square ? 0 : Infinity; // of a row the last unit: it meets the edge
const chosen = { row: start, column: start };

function update() {
  const { count, square } = the("form").elements;
  const fieldsets = [...document.querySelectorAll(".layer")];
  const used = fieldsets.slice(0, Number(count.value));
  const { rows, error } = stack(typed(the("[data-key=size]")), used.map(layerOf));
  const lines = rows.map((row, n) => [row.working, rest(row, n ? "unit" : "pixel"),
    `field ${row.field.size}, jump ${row.field.jump}`].filter(Boolean).join(" · "));
  if (error) lines.push(error);
  fieldsets.forEach((fieldset, n) => {
    fieldset.hidden = n >= used.length;
    fieldset.querySelector(".line").textContent = lines[n] ?? "";
    fieldset.querySelector(".line").classList.toggle("wrong", !rows[n]);
  });
  const [words, drawn] = seen(rows, square.checked, the("#picture").clientWidth);
  the("#reading").textContent = words;
  the("#picture").setAttribute("aria-label", words);
  the("#picture").innerHTML = drawn;
  const said = [...lines, words].join("; ");
  if (the("#said").textContent !== said) the("#said").textContent = said;
}

// What the chosen unit reads: in words, and drawn.
function seen(rows, square, width) {
  if (!rows.length) return ["No window fits.", ""];
  if (rows.some((row) => row.size + 2 * row.padding > MOST)) {
    return [`Up to ${MOST} pixels are drawn.`, ""];
  }
  const last = rows.at(-1).positions - 1, maps = mapsOf(rows);
  const [row, column] = [chosen.row, chosen.column].map((i) => Math.min(i, last));
  for (const [key, value] of Object.entries({ row, column })) {
    document.querySelectorAll(`[data-key=${key}]`)
      .forEach((input) => Object.assign(input, { max: last, value }));
  }
  the("[data-key=row]").closest("p").hidden = !square;
  const ways = square ? [["row", row], ["column", column]] : [["pixel", column]];
  const words = `Unit ${column}${square ? ` in row ${row}` : ""} reads `
    + ways.map(([noun, i]) => reading(rows, i, noun)).join(", and ");
  return [words, square ? squares(rows, maps, [row, column], width)
    : oneRow(rows, maps, column, width)];
}

the("#start").insertAdjacentHTML("afterbegin",
  setting("size", "Input", 1, 256, DATA.size));
the("#layers").innerHTML = range(0, 3).map((n) => DATA.layers[n] ?? NEW)
  .map(layerSettings).join("");
the("#units").innerHTML = setting("column", "Unit", 0, 0, 0)
  + setting("row", "in row", 0, 0, 0);
the("[name=count]").value = DATA.layers.length;
the("[name=square]").checked = DATA.square;
the("form").addEventListener("input", ({ target }) => {
  const { key } = target.dataset;
  if (key && target.value !== "") {
    target.closest("p").querySelectorAll("input").forEach((twin) => {
      if (twin !== target) twin.value = target.value;
    });
    if (key in chosen) chosen[key] = Math.max(0, Math.round(Number(target.value)));
  }
  update();
});
window.addEventListener("resize", update);
update();
