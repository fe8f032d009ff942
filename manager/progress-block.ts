// Draws how a job stands as a few lines for a terminal of any size: a bar for each status, the pace, the end, VMs and money. Pure.
import { totalCount, unfinishedCount } from './job-db-status.ts'
import {
  doneCount,
  failedCount,
  moneyParts,
  type ProgressView,
  renderCount,
  renderPercent,
  timeParts,
  vmParts,
  waitingAgainCount,
} from './progress.ts'
import { cutTo, widthOf } from './progress-width.ts'

export interface BlockStyle {
  readonly columnCount: number
  /** Lines that a screen has room for; default: as many as are wanted. */
  readonly rowCount?: number
  readonly color: boolean
}

type Color = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'

const CODES: Readonly<Record<Color, string>> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' }
const WIDEST = 100 // columns: longer bars say no more
const LABEL_COLUMNS = 10

export function renderBlock(view: ProgressView, { columnCount, rowCount = 50, color }: BlockStyle): string[] {
  const width = Math.max(1, Math.min(WIDEST, columnCount - 1)) // in the last column a terminal may wrap already
  const paint = painter(color)
  const head = [headLine(view, width, paint)]
  const foot = [
    row('pace', timeParts(view), width, paint),
    row('VMs', vmParts(view), width, paint),
    row('money', moneyParts(view), width, paint),
  ].filter(line => line !== undefined)
  const statuses = statusRows(view, width, paint)
  const room = rowCount - 1 - head.length - foot.length
  const lines = [...head, ...(room >= statuses.length ? statuses : []), ...foot]
  return lines.slice(0, Math.max(1, rowCount - 1)).map(line => cutTo(line, width))
}

type Paint = (text: string, color: Color) => string

function painter(color: boolean): Paint {
  return (text, name) => (color && text !== '' ? `\x1b[${CODES[name]}m${text}\x1b[0m` : text)
}

/** The whole job in one bar: what is done, what failed, what runs, what is left. */
function headLine(view: ProgressView, width: number, paint: Paint): string {
  const { counts, jobId } = view
  const [total, done, failed] = [totalCount(counts), doneCount(counts), failedCount(counts)]
  const share = `${renderPercent(view)} of ${renderCount(total)} tasks`
  const name = cutTo(jobId, Math.max(8, Math.floor(width / 3)))
  const columns = Math.max(4, Math.min(40, width - widthOf(name) - share.length - 4))
  const upTo = (count: number) => (total === 0 ? columns : Math.floor((count / total) * columns))
  const [good, all, busy] = [upTo(done - failed), upTo(done), upTo(Math.min(total, done + (view.heldCount ?? 0)))]
  const bar = [
    paint('█'.repeat(good), 'green'),
    paint('█'.repeat(all - good), 'red'),
    paint('▒'.repeat(busy - all), 'cyan'),
    paint('░'.repeat(columns - busy), 'dim'),
  ]
  return `${paint(name, 'bold')}  ${bar.join('')}  ${share}`
}

function statusRows(view: ProgressView, width: number, paint: Paint): string[] {
  const { counts, heldCount } = view
  const total = totalCount(counts)
  const again = waitingAgainCount(counts)
  const held = heldCount ?? 0
  const waiting = Math.max(0, unfinishedCount(counts) - counts.pending - again - held)
  const rows: readonly (readonly [label: string, count: number, color: Color])[] = [
    ['done', doneCount(counts) - failedCount(counts), 'green'],
    ['failed', failedCount(counts), 'red'],
    ['running', held, 'cyan'],
    [heldCount === undefined ? 'to do' : 'waiting', waiting, 'dim'],
    ['again', again, 'yellow'],
    ['unsent', counts.pending, 'dim'],
  ]
  const digits = renderCount(total).length
  const columns = width - LABEL_COLUMNS - digits - 3
  return rows
    .filter(([label, count]) => count > 0 || label === 'done')
    .map(([label, count, color]) => {
      const bar = total === 0 || columns < 1 ? '' : fineBar((count / total) * Math.min(60, columns))
      return `  ${label.padEnd(LABEL_COLUMNS - 2)}${renderCount(count).padStart(digits)}  ${paint(bar, color)}`.trimEnd()
    })
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** Something is never nothing. */
function fineBar(columns: number): string {
  if (columns <= 0) return ''
  const eighths = Math.max(1, Math.floor(columns * 8))
  return '█'.repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? '')
}

/** As many parts as fit; undefined if there are none. */
function row(label: string, parts: readonly string[], width: number, paint: Paint): string | undefined {
  const [first, ...more] = parts
  if (first === undefined) return undefined
  let line = first
  for (const part of more) {
    const longer = `${line}  ·  ${part}`
    if (LABEL_COLUMNS + widthOf(longer) > width) break
    line = longer
  }
  return `  ${paint(label.padEnd(LABEL_COLUMNS - 2), 'dim')}${line}`
}
