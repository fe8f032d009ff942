// What a manager without a disk remembers from one look to the next: the format of its note. Knows nothing of where it is kept.
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { vmId } from '../../core/ids.ts'
import type { KeeperMemory } from '../keeper-memory.ts'
import type { StoredIntent } from '../launch-intents.ts'
import { columnsOf, type KnownVm, vmColumnsSchema, vmsOf } from './vm-columns.ts'

export interface Remembered {
  /** undefined = an order was given before the first look. */
  readonly deployId: string | undefined
  /** Nothing is launched any more until the next deploy. */
  readonly stopped?: Stopped | undefined
  /** A look is under way, and nobody else may act until it is over or its process must have been ended. */
  readonly busy?: Busy | undefined
  /** Messages in the task queue at the last look. */
  readonly backlog?: number | undefined
  /** Since when the task queue has been seen empty. */
  readonly emptySince?: Date | undefined
  /** Why there are as many VMs as there are. */
  readonly reason?: string | undefined
  readonly keeper: KeeperMemory
  readonly vms: readonly KnownVm[]
  readonly intents: readonly StoredIntent[]
}

export interface Stopped {
  readonly because: string
  readonly at: Date
  /** Somebody else looks after the VMs from here on: they are not ended. */
  readonly handedOver?: boolean | undefined
}

interface Busy {
  readonly by: string
  readonly until: Date
}

export function nothingRemembered(deployId: string | undefined, now: Date): Remembered {
  return { deployId, keeper: { ...EMPTY_KEEPER, watch: untried(now) }, vms: [], intents: [] }
}

/** As after a deploy of something else: the order to stop is void, and the VMs have to show anew that they can work. */
export function begunAnew(remembered: Remembered, now: Date): Remembered {
  return { ...remembered, stopped: undefined, keeper: { ...remembered.keeper, watch: untried(now) } }
}

function untried(now: Date): KeeperMemory['watch'] {
  return { proven: false, since: now, stillborn: { count: 0, endReason: '' } }
}

const EMPTY_KEEPER = { begunAt: undefined, earlierUsd: 0, market: { setbacks: {}, preemptionCount: 0 } }

/** The same text for the same content: what has not changed need not be written. */
export function renderRemembered(remembered: Remembered): string {
  const { deployId, stopped, busy, backlog, emptySince, reason, keeper, intents, vms } = remembered
  const { begunAt, earlierUsd, market, watch } = keeper
  return JSON.stringify({
    format: FORMAT,
    deployId,
    stopped,
    busy,
    backlog,
    emptySince,
    reason,
    keeper: { begunAt, earlierUsd, market, watch },
    intents,
    vms: columnsOf(vms),
  })
}

/** Throws a UserError for what `renderRemembered` did not write. */
export function parseRemembered(jobId: string, text: string): Remembered {
  const note = noteSchema.safeParse(jsonOf(text))
  if (!note.success) {
    throw new UserError(
      `What the manager remembers of job "${jobId}" is damaged, or of another version: destroy the job's stack and deploy it again.`,
      { cause: note.error },
    )
  }
  const { format: _format, deployId, vms, keeper, ...rest } = note.data
  return {
    ...rest,
    deployId,
    keeper: { ...keeper, begunAt: keeper.begunAt },
    vms: vmsOf(jobId, vms),
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const FORMAT = 1
const instant = z.iso.datetime().transform(text => new Date(text))

const keeperSchema = z.object({
  begunAt: instant.optional(),
  earlierUsd: z.number(),
  market: z.object({
    setbacks: z.record(z.string(), z.object({ failureCount: z.number(), until: z.number() })),
    preemptionCount: z.number(),
    refusedSince: z.number().optional(),
  }),
  watch: z.object({
    proven: z.boolean(),
    since: instant,
    stillborn: z.object({ count: z.number(), endReason: z.string(), vmId: z.string().transform(vmId).optional() }),
  }),
})

const noteSchema = z.object({
  format: z.literal(FORMAT),
  deployId: z.string().optional(),
  stopped: z.object({ because: z.string(), at: instant, handedOver: z.boolean().optional() }).optional(),
  busy: z.object({ by: z.string(), until: instant }).optional(),
  backlog: z.number().optional(),
  emptySince: instant.optional(),
  reason: z.string().optional(),
  keeper: keeperSchema,
  intents: z.array(
    z.object({
      token: z.string(),
      plan: z.string(),
      createdAt: z.string(),
      paidSeconds: z.number().optional(),
      writtenOffUsd: z.number().optional(),
    }),
  ),
  vms: vmColumnsSchema,
})
