// Draws what a terminal showed over time as one SVG: a film where motion is wanted, its last picture elsewhere.
import type { Row, Style } from './record-terminal-screen.ts'

export interface Frame {
  readonly atSeconds: number
  readonly rows: readonly Row[]
}

export interface PictureOptions {
  readonly title: string
  readonly columns: number
  /** How long the last picture stays before the film begins again. */
  readonly restSeconds: number
}

const CHAR_WIDTH = 8.4
const LINE_HEIGHT = 19
const PADDING = 18
const BAR_HEIGHT = 34
const INK = '#d6deeb'
// Black, red, green, yellow, blue, magenta, cyan, white; then the bright ones.
const COLORS = ['#5c6773', '#f07178', '#8fd694', '#ffcb6b', '#82aaff', '#c792ea', '#7fdbca', INK]
const BRIGHT = ['#7a8799', '#ff8b92', '#b5f2b8', '#ffe1a3', '#a9c7ff', '#ddb3ff', '#a8efe3', '#ffffff']

export function renderTerminal(frames: readonly Frame[], { title, columns, restSeconds }: PictureOptions): string {
  const lineCount = Math.max(...frames.map(({ rows }) => rows.length))
  const width = Math.ceil(columns * CHAR_WIDTH + 2 * PADDING)
  const height = lineCount * LINE_HEIGHT + BAR_HEIGHT + PADDING + 8
  const seconds = (frames.at(-1)?.atSeconds ?? 0) + restSeconds
  const spans = Array.from({ length: lineCount }, (_, line) => spansOf(frames, line)).flat()
  const films = [...new Set(spans.map(filmOf))].filter(film => film !== undefined)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:${INK};white-space:pre}`,
    '.b{font-weight:700}.d{opacity:.62}.past{opacity:0}',
    ...[...COLORS, ...BRIGHT].map((color, index) => `.c${index}{fill:${color}}`),
    '@media (prefers-reduced-motion:no-preference){',
    ...films.map(film => renderFilm(film, seconds)),
    '}</style>',
    `<rect width="${width}" height="${height}" rx="10" fill="#101a26"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (color, index) => `<circle cx="${PADDING + 4 + index * 18}" cy="18" r="5.5" fill="${color}"/>`,
    ),
    ...spans.map(renderSpan),
    '</svg>',
    '',
  ].join('\n')
}

/** One line of the screen as it was from one frame to another. */
interface Span {
  readonly line: number
  readonly row: Row
  readonly fromSeconds: number
  /** undefined = still there at the end. */
  readonly untilSeconds: number | undefined
}

function spansOf(frames: readonly Frame[], line: number): Span[] {
  const spans: Span[] = []
  let open: { readonly row: Row; readonly key: string; readonly fromSeconds: number } | undefined
  for (const { atSeconds, rows } of frames) {
    const row = rows[line] ?? []
    const key = JSON.stringify(row)
    if (key === open?.key) continue
    if (open !== undefined && open.row.length > 0) spans.push({ ...open, line, untilSeconds: atSeconds })
    open = { row, key, fromSeconds: atSeconds }
  }
  if (open !== undefined && open.row.length > 0) spans.push({ ...open, line, untilSeconds: undefined })
  return spans
}

function filmOf({ fromSeconds, untilSeconds }: Span): string | undefined {
  if (fromSeconds === 0 && untilSeconds === undefined) return undefined
  return `${fromSeconds.toFixed(2)}_${untilSeconds?.toFixed(2) ?? ''}`.replaceAll('.', '-')
}

function renderFilm(film: string, seconds: number): string {
  const [from = 0, until = 0] = film.split('_').map(text => Number(text.replace('-', '.')))
  const share = (at: number) => `${((at / seconds) * 100).toFixed(2)}%`
  const steps =
    until === 0
      ? `0%{opacity:0}${share(from)},100%{opacity:1}`
      : `0%{opacity:0}${share(from)}{opacity:1}${share(until)},100%{opacity:0}`
  const first = from === 0 ? steps.replace(/^0%\{opacity:0\}/, '') : steps
  return `.f${film}{animation:k${film} ${seconds.toFixed(2)}s step-end infinite}@keyframes k${film}{${first}}`
}

function renderSpan(span: Span): string {
  const film = filmOf(span)
  const names = [span.untilSeconds === undefined ? '' : 'past', film === undefined ? '' : `f${film}`].filter(Boolean)
  const y = BAR_HEIGHT + (span.line + 1) * LINE_HEIGHT - 5
  const runs = runsOf(span.row).map(({ text, style, column }) => {
    const names = classesOf(style)
    const x = (PADDING + column * CHAR_WIDTH).toFixed(1)
    // A fixed length keeps columns aligned whatever font the reader has.
    const length = ([...text].length * CHAR_WIDTH).toFixed(1)
    return `<tspan x="${x}" textLength="${length}"${names === '' ? '' : ` class="${names}"`}>${escapeText(text)}</tspan>`
  })
  return `<text y="${y}"${names.length === 0 ? '' : ` class="${names.join(' ')}"`}>${runs.join('')}</text>`
}

interface Run {
  readonly column: number
  readonly text: string
  readonly style: Style
}

function runsOf(row: Row): Run[] {
  const runs: Run[] = []
  for (const [column, { text, style }] of row.entries()) {
    const last = runs.at(-1)
    const same = last !== undefined && classesOf(last.style) === classesOf(style)
    // Two blanks end a run: an XML reader may fold them into one.
    if (same && !(text === ' ' && last.text.endsWith(' '))) {
      runs[runs.length - 1] = { ...last, text: last.text + text }
    } else runs.push({ column, text, style })
  }
  return runs
    .map(({ column, text, style }) => ({
      column: column + text.length - text.trimStart().length,
      text: text.trim(),
      style,
    }))
    .filter(({ text }) => text !== '')
}

function classesOf({ color, bold, dim }: Style): string {
  return [color === undefined ? '' : `c${color}`, bold === true ? 'b' : '', dim === true ? 'd' : '']
    .filter(Boolean)
    .join(' ')
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
