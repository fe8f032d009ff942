// How the page names and colours the statuses of tasks, and the ends of attempts.
import type { JobView } from '../api.ts'
import { make } from './dom.ts'
import type { ColorName } from './theme.ts'

export type Status = keyof JobView['counts']
type Tone = Extract<ColorName, 'completed' | 'running' | 'waiting' | 'retry' | 'failed' | 'idle'>

interface Look {
  readonly label: string
  readonly tone: Tone
}

/** In the order of a task's life, the best end first. */
export const STATUSES: Readonly<Record<Status, Look>> = {
  completed: { label: 'Completed', tone: 'completed' },
  failed: { label: 'Failed, out of attempts', tone: 'failed' },
  exception: { label: 'Exception', tone: 'failed' },
  timed_out: { label: 'Timed out', tone: 'failed' },
  exited_without_status: { label: 'Exited without result', tone: 'failed' },
  completed_with_retry: { label: 'Completed, runs again', tone: 'retry' },
  exception_with_retry: { label: 'Exception, runs again', tone: 'retry' },
  timed_out_with_retry: { label: 'Timed out, runs again', tone: 'retry' },
  exited_without_status_with_retry: { label: 'Exited, runs again', tone: 'retry' },
  in_queue_original: { label: 'In queue or running', tone: 'waiting' },
  pending: { label: 'Not sent yet', tone: 'idle' },
}

export const STATUS_NAMES = Object.keys(STATUSES) as Status[] // of the record right above

export function statusesOf(...tones: readonly Tone[]): Status[] {
  return STATUS_NAMES.filter(status => tones.includes(STATUSES[status].tone))
}

const OUTCOMES: Readonly<Record<string, Look>> = {
  completed: { label: 'Completed', tone: 'completed' },
  exception: { label: 'Exception', tone: 'failed' },
  timed_out: { label: 'Timed out', tone: 'failed' },
  exited: { label: 'Exited', tone: 'failed' },
  interrupted: { label: 'Interrupted', tone: 'retry' },
}

export function outcomeTone(outcome: string): Tone {
  return OUTCOMES[outcome]?.tone ?? 'waiting'
}

export function outcomeWord(outcome: string): string {
  return OUTCOMES[outcome]?.label.toLowerCase() ?? outcome
}

export function statusMark(status: Status): HTMLElement {
  return mark(STATUSES[status])
}

export function outcomeMark(outcome: string): HTMLElement {
  return mark(OUTCOMES[outcome] ?? { label: outcome, tone: 'waiting' })
}

/** The word always stands beside the colour. */
function mark({ label, tone }: Look): HTMLElement {
  return make('span', { class: 'mark' }, swatch(tone), label)
}

export function swatch(tone: ColorName): HTMLElement {
  return make('span', { class: `swatch ${tone}`, 'aria-hidden': 'true' })
}
