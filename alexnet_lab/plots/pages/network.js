// A network's arithmetic: float32 between the layers, as in PyTorch, float64 in sums.
/* exported prepare, run, weightsOf */

const PAPER = DATA.input.shape; // channels, rows, columns of a picture
const INPUT = PAPER.map((n, k) => (k ? n + 2 * DATA.input.padding : n)); // and as read
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const HALVES = new Uint16Array(bytes(DATA.weights).buffer); // all weights
const LESS = DATA.input.less && new Float32Array(bytes(DATA.input.less).buffer);

// A 16-bit float: a sign, five bits of exponent, ten of fraction.
function unpacked(half) {
  const exponent = (half >> 10) & 31, fraction = half & 1023;
  const tiny = fraction * 2 ** -24, size = (1024 + fraction) * 2 ** (exponent - 25);
  return (half >> 15 ? -1 : 1) * (exponent ? size : tiny);
}

DATA.layers.reduce((reads, layer) => {
  const numbers = (ends) => Float64Array.from(HALVES.subarray(...ends), unpacked);
  const weighs = layer.weight !== undefined;
  if (weighs) layer.weight = numbers(layer.weight);
  if (layer.bias) layer.bias = numbers(layer.bias);
  // without weights, a map is made of the same map before
  const groups = layer.groups || (weighs ? 1 : reads[0]);
  Object.assign(layer, { weighs, reads, groups });
  return layer.shape;
}, INPUT);

// Pixels from 0 to 255 become what the network reads.
function prepare(pixels) {
  const { padding, mean, deviation } = DATA.input, [channels, high, wide] = INPUT;
  return Float32Array.from({ length: channels * high * wide }, (_, n) => {
    const channel = Math.floor(n / high / wide), place = n % (high * wide);
    const row = Math.floor(place / wide) - padding, column = place % wide - padding;
    const inside = row >= 0 && row < PAPER[1] && column >= 0 && column < PAPER[2];
    const from = (channel * PAPER[1] + row) * PAPER[2] + column;
    const value = inside ? pixels[from] / 255 - (LESS ? LESS[from] : 0) : 0;
    return (value - mean[channel]) / deviation[channel];
  });
}

// What a unit reads, map by map and row by row; `beyond` is what lies beyond the edge.
function under(layer, x, group, i, j, patch, beyond = 0) {
  const { kernel: [tall, broad], dilation: [dy, dx] = [1, 1], reads, groups } = layer;
  const [maps, high, wide] = reads, count = maps / groups;
  const [down, across] = layer.window || [[1, 1, 0], [1, 1, 0]];
  const top = down[2] + i * down[1], left = across[2] + j * across[1];
  for (let map = group * count, k = 0; map < (group + 1) * count; map++) {
    for (let y = top; y < top + tall * dy; y += dy) {
      const row = (map * high + y) * wide, inside = y >= 0 && y < high;
      for (let z = left; z < left + broad * dx; z += dx, k++) {
        patch[k] = inside && z >= 0 && z < wide ? x[row + z] : beyond;
      }
    }
  }
  return patch;
}

// The weights of one map, in the order of what its units read.
function weightsOf({ weight, shape }, map) {
  const size = weight.length / shape[0];
  return weight.subarray(map * size, (map + 1) * size);
}

// Four sums of products at once, so that each number of the patch is taken once.
function multiply(patch, weight, bias, maps, sums) {
  const size = patch.length, [i, j, k, l] = maps.map((map) => map * size);
  let a = 0, b = 0, c = 0, d = 0;
  for (let n = 0; n < size; n++) {
    const value = patch[n];
    a += value * weight[i + n];
    b += value * weight[j + n];
    c += value * weight[k + n];
    d += value * weight[l + n];
  }
  [a, b, c, d].forEach((sum, n) => { sums[maps[n]] = sum + bias[maps[n]]; });
}

// Convolutions and linear layers: each patch is taken out once, for all who read it.
function weigh(layer, x) {
  const { shape: [maps, rows, columns], groups, weight, bias } = layer;
  const places = rows * columns, mine = maps / groups, sums = new Float64Array(maps);
  const patch = new Float64Array(weight.length / maps);
  const out = new Float32Array(maps * places);
  for (let n = 0; n < groups * places; n++) {
    const group = Math.floor(n / places), place = n % places, end = (group + 1) * mine;
    under(layer, x, group, Math.floor(place / columns), place % columns, patch);
    for (let map = group * mine; map < end; map += 4) {
      const four = [0, 1, 2, 3].map((m) => Math.min(map + m, end - 1));
      multiply(patch, weight, bias, four, sums);
    }
    for (let map = group * mine; map < end; map++) out[map * places + place] = sums[map];
  }
  return out;
}

// Each map for itself: `merge` makes a number of those under the window.
function pool(layer, x, merge, beyond) {
  const [maps, rows, columns] = layer.shape;
  const patch = new Float64Array(layer.kernel[0] * layer.kernel[1]);
  return Float32Array.from({ length: maps * rows * columns }, (_, n) => {
    const map = Math.floor(n / rows / columns), i = Math.floor(n / columns) % rows;
    under(layer, x, map, i, n % columns, patch, beyond);
    return merge(patch, n, i, n % columns);
  });
}

// By how many an average divides, in one direction: PyTorch never counts what lies
// beyond the padding, and the padding itself only if it is told to.
function share([size, jump, before], n, length, padded) {
  const start = before + n * jump, end = Math.min(start + size, length - before);
  return padded ? end - start : Math.min(end, length) - Math.max(start, 0);
}

const added = (list, of = (v) => v) => list.reduce((sum, v, n) => sum + of(v, n), 0);
const larger = (a, v) => Math.max(a, v);
const KINDS = {
  weigh,
  same: (layer, x) => x,
  relu: (layer, x) => x.map((v) => Math.max(v, 0)),
  tanh: ({ factors: [outer, inner] }, x) => x.map((v) => outer * Math.tanh(inner * v)),
  sigmoid: (layer, x) => x.map((v) => 1 / (1 + Math.exp(-v))),
  max: (layer, x) => pool(layer, x, (patch) => patch.reduce(larger), -Infinity),
  average(layer, x) {
    const { reads: [, high, wide], window: [down, across], padded, divisor } = layer;
    return pool(layer, x, (patch, n, i, j) => added(patch) / (divisor ||
      share(down, i, high, padded) * share(across, j, wide, padded)));
  },
  norm: ({ alpha, beta, ...layer }, x) => pool(layer, x, (patch, n) =>
    x[n] * (1 + alpha * added(patch, (v) => v * v)) ** -beta),
  distance: ({ weight, shape }, x) => Float32Array.from({ length: shape[0] }, (_, c) =>
    -added(x, (v, n) => (v - weight[c * x.length + n]) ** 2)),
};

// The input, and what each layer puts out.
function run(x) {
  const outputs = [x];
  for (const layer of DATA.layers) {
    outputs.push(KINDS[layer.kind](layer, outputs.at(-1)));
  }
  return outputs;
}
