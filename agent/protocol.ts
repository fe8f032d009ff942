// The lines between the agent and a task process, as docs/protocol.md promises them. Only text: no process, no queue.

import { parseExactJson } from '../core/exact-json.ts'
import type { TaskId } from '../core/ids.ts'
import type { Json } from '../core/task.ts'

const PROTOCOL_VERSION = 1

export type Said =
  /** `pipeline`: may be sent tasks while one runs. `control`: understands control lines. `plain`: see `plainAnswerSeconds`. */
  | { readonly kind: 'ready'; readonly control: boolean; readonly pipeline: boolean; readonly plain: boolean }
  | {
      readonly kind: 'result'
      readonly taskId: string | undefined
      readonly retry: boolean
      readonly result: Json
      readonly usage: SaidUsage
    }
  | {
      readonly kind: 'exception'
      readonly taskId: string | undefined
      readonly exception: string
      readonly retryable: boolean | undefined
      readonly usage: SaidUsage
      readonly log: LogRange | undefined
    }
  | { readonly kind: 'checkpoint'; readonly taskId: string | undefined; readonly checkpoint: Json }
  | { readonly kind: 'progress'; readonly taskId: string | undefined; readonly progress: number; readonly note: string }
  | { readonly kind: 'recalled'; readonly taskIds: readonly unknown[] }
  /** This process cannot run any task. */
  | { readonly kind: 'fatal'; readonly sentence: string }
  /** All answers are out; the process ends because of the first task without one. */
  | { readonly kind: 'exiting'; readonly log: LogRange | undefined }
  /** Not a line of the protocol: something the task printed. */
  | { readonly kind: 'output' }

/** Where in the file that is its stdout the process has printed for this task: first byte, and the one after the last. */
export type LogRange = readonly [from: number, to: number]

export interface SaidUsage {
  readonly elapsedSeconds?: number
  readonly cpuSeconds?: number
  readonly maxRssBytes?: number
}

const OUTPUT: Said = { kind: 'output' }

export function parseSaid(line: string): Said {
  const fields = parseFields(line)
  if (fields === undefined) return OUTPUT
  const taskId = typeof fields.task_id === 'string' ? fields.task_id : undefined
  if ('exception' in fields) {
    const exception = typeof fields.exception === 'string' ? fields.exception : JSON.stringify(fields.exception)
    const retryable = typeof fields.retryable === 'boolean' ? fields.retryable : undefined
    return { kind: 'exception', taskId, exception, retryable, usage: usageOf(fields), log: logRange(fields.log) }
  }
  if ('result' in fields) {
    return {
      kind: 'result',
      taskId,
      retry: fields.retry === true,
      result: fields.result ?? null,
      usage: usageOf(fields),
    }
  }
  if (fields.checkpoint !== undefined) return { kind: 'checkpoint', taskId, checkpoint: fields.checkpoint }
  if (typeof fields.progress === 'number') {
    return {
      kind: 'progress',
      taskId,
      progress: fields.progress,
      note: typeof fields.note === 'string' ? fields.note : '',
    }
  }
  if (fields.ready === true) {
    const { control, pipeline, plain } = fields
    return { kind: 'ready', control: control === true, pipeline: pipeline === true, plain: plain === true }
  }
  if (Array.isArray(fields.recalled)) return { kind: 'recalled', taskIds: fields.recalled }
  if (typeof fields.fatal === 'string') return { kind: 'fatal', sentence: fields.fatal }
  return fields.exiting === true ? { kind: 'exiting', log: logRange(fields.log) } : OUTPUT
}

export function helloLine(worker: Readonly<Record<string, Json>>): string {
  return `${JSON.stringify({ control: 'hello', protocol: PROTOCOL_VERSION, worker })}\n`
}

export function terminateLine(deadlineSeconds: number): string {
  return `${JSON.stringify({ control: 'terminate', deadline_seconds: Math.max(0, deadlineSeconds) })}\n`
}

export const SHUTDOWN_LINE = '{"control":"shutdown"}\n'
export const RECALL_LINE = '{"control":"recall"}\n'

/**
 * The elapsed seconds in a plain answer of a runner of ours, `{"task_id":…,"retry":false,"elapsed_time":…,"result":…}`, which
 * needs no parsing to become an event; undefined = any other line. Only for processes whose answers we wrote ourselves.
 */
export function plainAnswerSeconds(line: string, quotedTaskId: string): number | undefined {
  if (!line.startsWith(ANSWER_START) || !line.startsWith(quotedTaskId, ANSWER_START.length)) return undefined
  const afterId = ANSWER_START.length + quotedTaskId.length
  if (!line.startsWith(ANSWER_MIDDLE, afterId)) return undefined
  const numberStart = afterId + ANSWER_MIDDLE.length
  const numberEnd = line.indexOf(',', numberStart)
  if (!line.startsWith(ANSWER_RESULT, numberEnd)) return undefined
  return Number(line.slice(numberStart, numberEnd))
}

const ANSWER_START = '{"task_id":'
const ANSWER_MIDDLE = ',"retry":false,"elapsed_time":'
const ANSWER_RESULT = ',"result":'

type Fields = { readonly [key: string]: Json | undefined }

function parseFields(line: string): Fields | undefined {
  if (!line.trimStart().startsWith('{')) return undefined
  try {
    return parseExactJson(line) as Fields // an object, because it starts with a brace
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function usageOf(fields: Fields): SaidUsage {
  const { elapsed_time: elapsed, cpu_seconds: cpu, max_rss_bytes: rss } = fields
  return {
    ...(measured(elapsed) ? { elapsedSeconds: elapsed } : undefined),
    ...(measured(cpu) ? { cpuSeconds: cpu } : undefined),
    ...(measured(rss) ? { maxRssBytes: rss } : undefined),
  }
}

function logRange(value: Json | undefined): LogRange | undefined {
  if (!Array.isArray(value)) return undefined
  const [from, to] = value
  return measured(from) && measured(to) ? [from, to] : undefined
}

function measured(value: Json | undefined): value is number {
  return typeof value === 'number' && value >= 0
}

/** What a task process answered about: nothing, or this task. */
export function concerns(
  said: { readonly taskId: string | undefined },
  taskId: TaskId,
  { alone }: { readonly alone: boolean },
): boolean {
  return said.taskId === taskId || (alone && said.taskId === undefined)
}
