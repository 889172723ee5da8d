"use strict";
/* Values to colours: maps, colour bars. */

function paletteOf(base64) {
  const bytes = bytesOf(base64);
  return { bytes, size: bytes.length / 3 };
}

/* For each of `pixels` pixels along a side of `cells` cells: the two cells it lies between and the second's weight.
   Cell i is centred on `first` + i * `step`, in shares of the side; borders are replicated, as in Python. */
function steps(cells, pixels, smooth, { step = 1 / cells, first = 0.5 / cells }) {
  return Array.from({ length: pixels }, (_, i) => {
    const inside = Math.min(Math.max(((i + 0.5) / pixels - first) / step, 0), cells - 1);
    if (!smooth) return [Math.round(inside), Math.round(inside), 0];
    const before = Math.floor(inside);
    return [before, Math.min(before + 1, cells - 1), inside - before];
  });
}

/* The opacity of each colour: low values (signed: those near zero) let the picture through, until at 1 none does. */
function opacities(palette, signed, opacity) {
  return Uint8ClampedArray.from({ length: palette.size }, (_, i) => {
    const share = i / (palette.size - 1);
    const strength = Math.sqrt(signed ? Math.abs(2 * share - 1) : share);
    const floor = opacity ** 4;
    return 255 * opacity * (floor + (1 - floor) * strength);
  });
}

/* Fill a canvas with a map; `range` [low, high] spans the palette, values beyond it take the end's colour. */
function paintMap(canvas, map, { width, height, places = {}, range: [low, high], palette, smooth, signed = false, opacity = 1 }) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const xs = steps(width, canvas.width, smooth, places);
  const ys = steps(height, canvas.height, smooth, places);
  const scale = high > low ? (palette.size - 1) / (high - low) : 0;
  const middle = high > low ? 0 : (palette.size - 1) / 2;
  const alphas = opacities(palette, signed, opacity);
  let at = 0;
  for (const [top, bottom, down] of ys) {
    for (const [left, right, across] of xs) {
      const above = map[top * width + left] * (1 - across) + map[top * width + right] * across;
      const below = map[bottom * width + left] * (1 - across) + map[bottom * width + right] * across;
      const value = above * (1 - down) + below * down;
      const position = (value - low) * scale + (low < 0 ? middle : 0);
      const colour = Math.min(Math.max(Math.round(position), 0), palette.size - 1);
      for (let channel = 0; channel < 3; channel++) image.data[at++] = palette.bytes[3 * colour + channel];
      image.data[at++] = alphas[colour];
    }
  }
  context.putImageData(image, 0, 0);
}

function paintBar(canvas, palette) {
  const ramp = Float64Array.from({ length: palette.size }, (_, i) => i);
  const range = [0, palette.size - 1];
  paintMap(canvas, ramp, { width: palette.size, height: 1, range, palette, smooth: true });
}

/* Three significant digits, short: 0.31, 4.2e-5, 0. */
function short(value) {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return "0";
  return Math.abs(rounded) < 1e-4 ? rounded.toExponential(1).replace("-", "−") : String(rounded).replace("-", "−");
}
