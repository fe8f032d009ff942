// Renders rows as a bordered table of plain text. Pure.

export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)))
  const border = `+${widths.map(width => '-'.repeat(width + 2)).join('+')}+`
  const line = (cells: readonly string[]) =>
    `|${widths.map((width, column) => ` ${align(cells[column] ?? '', width)} `).join('|')}|`
  return [border, line(head), border, ...rows.map(line), border].join('\n')
}

/** Numbers and money to the right. */
function align(text: string, width: number): string {
  return /^\$?[\d.,]+$/.test(text) ? text.padStart(width) : text.padEnd(width)
}
