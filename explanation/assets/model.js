"use strict";
/* The stored tables, decoded once, and every map that follows from them. A map is a Float64Array of h*w values. */

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function decodeTable({ values: exact, codes, low, step, logarithmic }, cells) {
  if (exact) return new Float32Array(bytesOf(exact).buffer);
  const stored = new Uint16Array(bytesOf(codes).buffer);
  const values = new Float32Array(stored.length);
  for (let i = 0; i < stored.length; i++) {
    const k = Math.floor(i / cells);
    if (!logarithmic) values[i] = low[k] + stored[i] * step[k];
    else if (stored[i] > 0) values[i] = 2 ** (low[k] + (stored[i] - 1) * step[k]);
  }
  return values;
}

function largest(values) {
  let best = -Infinity;
  for (const value of values) if (value > best) best = value;
  return best;
}

function smallest(values) {
  let best = Infinity;
  for (const value of values) if (value < best) best = value;
  return best;
}

class Model {
  constructor(payload) {
    [this.height, this.width] = payload.grid;
    [this.step, this.first] = payload.cells; // the cells' centres, in shares of the picture's sides
    this.cells = this.height * this.width;
    this.classes = payload.names.length;
    this.p = payload.p;
    this.table = decodeTable(payload.table, this.cells); // p(y|x,z), or CAM's g(y,z)
    this.prior = payload.prior && new Float32Array(bytesOf(payload.prior).buffer); // p(z|x)
    this.ranges = new Map();
  }

  /* Where cell i of a row or column begins and ends, in shares of the picture's side. */
  edges(i) {
    const middle = this.first + i * this.step;
    return [middle - this.step / 2, middle + this.step / 2].map((share) => Math.min(Math.max(share, 0), 1));
  }

  row(k, weight) {
    const start = k * this.cells;
    return Float64Array.from({ length: this.cells }, (_, z) => this.table[start + z] * weight(z));
  }

  joint(k) {
    return this.row(k, (z) => this.prior[z]);
  }

  conditional(k) {
    return this.row(k, () => 1);
  }

  scaled(k) {
    const map = this.conditional(k);
    const low = smallest(map);
    const span = largest(map) - low;
    return map.map((value) => (span > 0 ? (value - low) / span : 0));
  }

  sum(classes, mapOf) {
    const total = new Float64Array(this.cells);
    for (const k of classes) mapOf(k).forEach((value, z) => { total[z] += value; });
    return total;
  }

  /* The map of one kind for a question {target, versus, subset: Set}. */
  map(kind, { target, versus, subset }) {
    const everyClass = Array.from({ length: this.classes }, (_, k) => k);
    const minus = (a, b) => a.map((value, z) => value - b[z]);
    switch (kind) {
      case "joint": return this.joint(target);
      case "conditional": case "cam": return this.conditional(target);
      case "posterior": return this.row(target, (z) => (this.p[target] > 0 ? this.prior[z] / this.p[target] : 0));
      case "saliency": return Float64Array.from(this.prior);
      case "subset": return this.sum(subset, (k) => this.joint(k));
      case "cam-saliency": return (this.allScaled ??= this.sum(everyClass, (k) => this.scaled(k)));
      case "cam-subset": return this.sum(subset, (k) => this.scaled(k));
      case "counterfactual": {
        const mapOf = this.prior ? (k) => this.joint(k) : (k) => this.conditional(k);
        return minus(mapOf(target), mapOf(versus));
      }
    }
    throw new Error(`unknown map ${kind}`);
  }

  /* [lowest, highest] value that this kind of map takes over all classes. */
  rangeOverClasses(kind) {
    if (!this.ranges.has(kind)) this.ranges.set(kind, this.computeRange(kind));
    return this.ranges.get(kind);
  }

  computeRange(kind) {
    if (kind === "saliency" || kind === "subset") return [0, largest(this.prior)];
    if (kind.startsWith("cam-")) return [0, largest(this.map("cam-saliency", {}))];
    const single = kind === "counterfactual" ? (this.prior ? "joint" : "cam") : kind;
    let [low, high] = this.prior ? [0, 0] : [Infinity, -Infinity];
    for (let target = 0; target < this.classes; target++) {
      const map = this.map(single, { target });
      low = Math.min(low, smallest(map));
      high = Math.max(high, largest(map));
    }
    if (kind !== "counterfactual") return [low, high];
    return this.prior ? [-high, high] : [low - high, high - low];
  }

  /* The classes with the highest p(y|x,z) (CAM: score) at a cell, as [class, value]. */
  topAt(cell, count) {
    const top = [];
    for (let k = 0; k < this.classes; k++) {
      const value = this.table[k * this.cells + cell];
      if (top.length === count && value <= top[count - 1][1]) continue;
      top.push([k, value]);
      top.sort((a, b) => b[1] - a[1]);
      if (top.length > count) top.pop();
    }
    return top;
  }

  peak(map, signed) {
    let best = 0;
    const height = (z) => (signed ? Math.abs(map[z]) : map[z]);
    for (let z = 1; z < this.cells; z++) if (height(z) > height(best)) best = z;
    return best;
  }
}
