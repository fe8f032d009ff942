// A small terminal: takes what a program writes and knows what is then on the screen. Only what progress displays need.

export interface Style {
  /** Index into the 16 colours of a terminal; undefined = the default colour. */
  readonly color?: number
  readonly bold?: boolean
  readonly dim?: boolean
}

export interface Cell {
  readonly text: string
  readonly style: Style
}

export type Row = readonly Cell[]

const BLANK: Cell = { text: ' ', style: {} }
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this file is about
const TOKEN = /\x1b\[([?>=]?)([\d;]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[\r\n\b\t\x07]|[^\x00-\x1f]/gu

export class Screen {
  readonly #columns: number
  #rows: Cell[][] = [[]]
  #x = 0
  #y = 0
  #style: Style = {}
  #rest = ''

  constructor({ columns }: { columns: number }) {
    this.#columns = columns
  }

  /** `text` may end in the middle of a control sequence: the rest is waited for. */
  write(text: string): void {
    const whole = this.#rest + text
    const cut = incompleteTail(whole)
    this.#rest = whole.slice(cut)
    for (const match of whole.slice(0, cut).matchAll(TOKEN)) {
      const [token, mark, parameters = '', final] = match
      if (final !== undefined) {
        if (mark === '') this.#control(final, parameters.split(';').map(Number))
      } else this.#put(token)
    }
  }

  /** All lines ever written, top to bottom, without blank ends. */
  rows(): readonly Row[] {
    const last = this.#rows.findLastIndex(row => row.some(({ text }) => text !== ' '))
    return this.#rows.slice(0, last + 1).map(row => row.slice(0, row.findLastIndex(({ text }) => text !== ' ') + 1))
  }

  #put(token: string): void {
    if (token === '\r') this.#x = 0
    else if (token === '\n') this.#moveTo(this.#x, this.#y + 1)
    else if (token === '\b') this.#x = Math.max(0, this.#x - 1)
    else if (token === '\t') this.#x = Math.min(this.#columns - 1, ((this.#x >> 3) << 3) + 8)
    else if (token >= ' ' && !token.startsWith('\x1b')) {
      if (this.#x >= this.#columns) this.#moveTo(0, this.#y + 1)
      const row = this.#row()
      while (row.length < this.#x) row.push(BLANK)
      row[this.#x++] = { text: token, style: this.#style }
    }
  }

  #control(final: string, [first = 0, second = 0, third = 0]: readonly number[]): void {
    const count = first || 1
    if (final === 'm') this.#style = styleAfter(this.#style, [first, second, third])
    else if (final === 'A') this.#moveTo(this.#x, this.#y - count)
    else if (final === 'B') this.#moveTo(this.#x, this.#y + count)
    else if (final === 'C') this.#moveTo(this.#x + count, this.#y)
    else if (final === 'D') this.#moveTo(this.#x - count, this.#y)
    else if (final === 'E') this.#moveTo(0, this.#y + count)
    else if (final === 'F') this.#moveTo(0, this.#y - count)
    else if (final === 'G') this.#moveTo(count - 1, this.#y)
    else if (final === 'K') this.#eraseLine(first)
    else if (final === 'J') this.#eraseBelow(first)
  }

  #moveTo(x: number, y: number): void {
    this.#x = Math.min(Math.max(0, x), this.#columns - 1)
    this.#y = Math.max(0, y)
    while (this.#rows.length <= this.#y) this.#rows.push([])
  }

  #eraseLine(what: number): void {
    const row = this.#row()
    if (what === 0) row.length = Math.min(row.length, this.#x)
    else row.fill(BLANK, 0, what === 1 ? this.#x + 1 : row.length)
  }

  #eraseBelow(what: number): void {
    if (what !== 0) return
    this.#eraseLine(0)
    this.#rows.length = this.#y + 1
  }

  #row(): Cell[] {
    const row = this.#rows[this.#y] ?? []
    this.#rows[this.#y] = row
    return row
  }
}

function styleAfter(style: Style, codes: readonly number[]): Style {
  const [code = 0, kind, index] = codes
  if (code === 38 && kind === 5 && index !== undefined) return { ...style, color: index % 16 }
  return codes.reduce((after, each, position) => (position > 0 && each === 0 ? after : applyCode(after, each)), style)
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return {}
  if (code === 1) return { ...style, bold: true }
  if (code === 2) return { ...style, dim: true }
  if (code === 22) return { ...style, bold: false, dim: false }
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 }
  if (code >= 90 && code <= 97) return { ...style, color: code - 90 + 8 }
  if (code === 39) return { bold: style.bold ?? false, dim: style.dim ?? false }
  return style
}

/** Where a control sequence begins that has not ended yet; the length of the text if there is none. */
function incompleteTail(text: string): number {
  const start = text.lastIndexOf('\x1b')
  if (start < 0) return text.length
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
  return /^\x1b(\[[?>=]?[\d;]*|\][^\x07\x1b]*)?$/.test(text.slice(start)) ? start : text.length
}
