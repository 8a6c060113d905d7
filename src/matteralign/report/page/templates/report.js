"use strict";
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.sort || cell.textContent;
      };
      const empty = (row) => /\b(none|hole|self)\b/.test(row.cells[column].className);
      const numeric = head.classList.contains("num");
      const body = table.tBodies[0];
      Array.from(body.rows)
        .sort((a, b) => {
          // What has no value stays at the end, whichever way the column is sorted.
          if (empty(a) !== empty(b)) return empty(a) ? 1 : -1;
          const order = numeric
            ? Number(key(a)) - Number(key(b))
            : key(a).localeCompare(key(b), "en", { numeric: true });
          return up ? order : -order;
        })
        .forEach((row) => body.appendChild(row));
    });
  });
});
