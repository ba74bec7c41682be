"use strict";
// Sort a table by the column whose heading is pressed: numbers by value, texts by the alphabet.
for (const table of document.querySelectorAll("table")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      const numeric = head.classList.contains("number");
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = Array.from(body.rows, (row, place) => ({ row, place, value: row.cells[column].dataset.value }));
      rows.sort((one, two) => {
        // What has no value stays last in both directions.
        if (one.value === "" || two.value === "") {
          return (one.value === "") - (two.value === "") || one.place - two.place;
        }
        const order = numeric
          ? Number(one.value) - Number(two.value)
          : one.value.localeCompare(two.value, "en", { numeric: true });
        return (descending ? -order : order) || one.place - two.place;
      });
      for (const { row } of rows) body.append(row);
    });
  });
}
