"use strict";
/* The cards of the gallery, searched and sorted. */
{
  const cards = JSON.parse(document.getElementById("payload").textContent);
  const byId = (id) => document.getElementById(id);
  const orders = {
    given: () => 0,
    high: (a, b) => b.p_y - a.p_y,
    low: (a, b) => a.p_y - b.p_y,
    class: (a, b) => a.target.localeCompare(b.target) || b.p_y - a.p_y,
    wrong: (a, b) => isWrong(b) - isWrong(a),
  };
  const isWrong = (card) => card.label !== null && card.label !== card.predicted;
  const labelled = cards.filter((card) => card.label !== null);

  const drawn = new Map(cards.map((card) => {
    const link = byId("card").content.firstElementChild.cloneNode(true);
    link.href = card.page;
    link.title = card.sentence;
    link.querySelector(".plain").src = card.picture;
    link.querySelector(".map").src = card.attribution;
    link.querySelector(".map").alt = `${card.image_id}: ${card.sentence}`;
    link.querySelector("b").textContent = card.target;
    const rival = card.predicted === card.target ? "" : `, predicted ${card.predicted}`;
    link.querySelector(".sure").textContent = `p(y | x) = ${Number(card.p_y.toPrecision(3))}${rival}`;
    link.querySelector("small").textContent = card.image_id;
    link.classList.toggle("wrong", isWrong(card));
    link.querySelector(".label").textContent = isWrong(card) ? `wrong: labelled ${card.label}` : "";
    return [card, link];
  }));

  function draw() {
    const wanted = byId("search").value.trim().toLowerCase();
    const found = cards.filter((card) => `${card.target} ${card.predicted} ${card.image_id}`.toLowerCase().includes(wanted));
    const sorted = [...found].sort(orders[byId("sort").value]);
    byId("cards").replaceChildren(...sorted.map((card) => drawn.get(card)));
    byId("cards").classList.toggle("plain-pictures", byId("plain").checked);
    const right = `${labelled.filter(isWrong).length} of ${labelled.length} labelled images are predicted wrong. `;
    byId("count").textContent =
      `${found.length} of ${cards.length} images; pointing at one shows its plain picture. ${labelled.length ? right : ""}`;
  }

  for (const id of ["search", "sort", "plain"]) byId(id).addEventListener("input", draw);
  draw();
}
