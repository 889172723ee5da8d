"use strict";
/* What a value means, in the words that Python uses too. */

function valueInWords(value, unit) {
  if (!/(probability|probabilities)$/.test(unit)) return String(Number(value.toPrecision(3)));
  if (value < 1e-4) return "less than 0.0001";
  return value > 0.995 ? "more than 0.99" : String(Number(value.toPrecision(2)));
}

function subsetInWords(names, total) {
  if (total > 1 && names.length === total) return `any of all ${total} classes`;
  if (names.length > 3) return `one of ${names.length} classes`;
  if (names.length === 0) return "no class";
  return [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" or ");
}

function sentenceOf(kind, value, { target, versus, subset, total }) {
  let words = { target, versus, subset: subsetInWords(subset, total), value };
  if (kind.signed && value < 0) words = { ...words, target: versus, versus: target, value: -value };
  words.value = valueInWords(words.value, kind.unit);
  return kind.sentence.replace(/\{(\w+)\}/g, (_, word) => words[word]);
}

/* What the map adds up to, where the sum has a meaning. */
function totalOf(kindName, model, { target, versus, subset }, names) {
  if (!model.prior) return "";
  const ofSubset = [...subset].reduce((sum, k) => sum + model.p[k], 0);
  const totals = {
    joint: `All cells add up to ${short(model.p[target])}, the probability of ${names[target]}.`,
    conditional: "Each cell is a verdict of its own; they do not add up.",
    posterior: "All cells add up to 1.",
    saliency: "All cells add up to 1.",
    subset: `All cells add up to ${short(ofSubset)}, the probability of the subset.`,
    counterfactual:
      `All cells add up to ${short(model.p[target] - model.p[versus])}, the difference of the two probabilities.`,
  };
  return totals[kindName];
}
