// Keeps what the reconciler decided, why, and all that it decided from, so that any decision can be explained and replayed.
import type { DatabaseSync } from 'node:sqlite'
import type { VmId } from '../core/ids.ts'
import type { Vm } from '../infra/provider.ts'
import type { Action, Decision, PoolView } from './reconcile.ts'
import { sumOf } from './reconcile-launch.ts'
import { parseTimestamp, renderTimestamp } from './timestamps.ts'

export interface StoredDecision {
  readonly at: Date
  readonly reason: string
  readonly actions: readonly StoredAction[]
  readonly unfinishedCount: number
  readonly runningCount: number
  readonly startingCount: number
  readonly slotCount: number
  readonly usdPerHour: number
  readonly spentUsd: number
  /** To be read with `parseInputs`; undefined for a decision of long ago. */
  readonly inputs: string | undefined
}

export type StoredAction =
  | {
      readonly kind: 'launch'
      readonly vmCount: number
      readonly instanceType: string | undefined
      readonly zone: string | undefined
      readonly spot: boolean
      readonly paidSeconds?: number
    }
  | { readonly kind: 'terminate'; readonly vmCount: number; readonly ids: readonly VmId[]; readonly because: string }
  | { readonly kind: 'abort'; readonly because: string }

const MAX_INPUT_CHARACTERS = 16_000_000 // some thousands of decisions on ten VMs, some dozens on ten thousand

export class DecisionLog {
  readonly #sqlite: DatabaseSync
  #last: string | undefined

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  /** Stores a decision unless it is the same as the last one. Before it is carried out: a crash then leaves its reason. */
  record(view: PoolView, decision: Decision): void {
    const actions = JSON.stringify(decision.actions.map(storedAction))
    const key = `${decision.reason}\n${actions}`
    this.#last ??= this.#lastKey()
    if (key === this.#last) return
    const active = (view.vms ?? []).filter(isActive)
    const { slotCount, usdPerHour } = sumOf(active, view.config.tasks)
    const running = active.filter(vm => vm.state === 'running').length
    const inputs = renderInputs(view)
    this.#forgetOldInputs(inputs.length)
    this.#sqlite
      .prepare(
        `INSERT INTO decisions (at, reason, actions, unfinished, running, starting, slots, price_per_hour, spent, inputs)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        renderTimestamp(view.now),
        decision.reason,
        actions,
        view.unfinishedCount,
        running,
        active.length - running,
        slotCount,
        usdPerHour,
        view.spentUsd,
        inputs,
      )
    this.#last = key
  }

  #lastKey(): string {
    const row = this.#sqlite.prepare('SELECT reason, actions FROM decisions ORDER BY id DESC LIMIT 1').get()
    return row === undefined ? '' : `${row.reason}\n${row.actions}`
  }

  #forgetOldInputs(newCharacters: number): void {
    const row = this.#sqlite
      .prepare(
        'SELECT sum(length(inputs)) AS sum, min(id) AS first, max(id) AS last FROM decisions WHERE inputs NOTNULL',
      )
      .get()
    if (Number(row?.sum ?? 0) + newCharacters <= MAX_INPUT_CHARACTERS) return
    const half = Math.floor((Number(row?.first) + Number(row?.last)) / 2) // half at once, so that it is seldom done
    this.#sqlite.prepare('UPDATE decisions SET inputs = NULL WHERE id <= ?').run(half)
  }
}

/** The decision in force at that moment; undefined before the first. */
export function readDecision(sqlite: DatabaseSync, at: Date | undefined): StoredDecision | undefined {
  const until = at === undefined ? '9999-12-31' : renderTimestamp(at)
  const row = sqlite.prepare('SELECT * FROM decisions WHERE at <= ? ORDER BY at DESC, id DESC LIMIT 1').get(until)
  return row === undefined ? undefined : decisionOf(row)
}

export function readFirstDecisionAt(sqlite: DatabaseSync): Date | undefined {
  return parseTimestamp(sqlite.prepare('SELECT at FROM decisions ORDER BY id LIMIT 1').get()?.at)
}

/** Oldest first. */
export function readDecisions(sqlite: DatabaseSync): readonly StoredDecision[] {
  return sqlite.prepare('SELECT * FROM decisions ORDER BY id').all().map(decisionOf)
}

export function storedAction(action: Action): StoredAction {
  switch (action.kind) {
    case 'launch': {
      const { vmCount, choices, paidSeconds } = action
      const [best] = choices
      return {
        kind: 'launch',
        vmCount,
        instanceType: best?.offer.instanceType,
        zone: best?.offer.zone,
        spot: best?.spot ?? false,
        ...(paidSeconds === undefined ? undefined : { paidSeconds }),
      }
    }
    case 'terminate':
      return { kind: 'terminate', vmCount: action.ids.length, ids: action.ids, because: action.because }
    case 'abort':
      return action
  }
}

/** As JSON, without what no decision depends on. */
export function renderInputs(view: PoolView): string {
  const active = view.vms?.filter(vm => vm.state !== 'terminated')
  const ids = new Set(active?.map(vm => vm.id))
  const { signs, config } = view
  const heard = [...signs.heardAt].filter(([id]) => ids.has(id))
  // Whether anybody at all was ever heard matters, also when that VM is gone.
  const another = heard.length > 0 ? [] : [...signs.heardAt].slice(0, 1)
  return JSON.stringify({
    ...view,
    config: { pool: config.pool, tasks: config.tasks, watch: config.watch },
    vms: active,
    idle: [...view.idle].filter(id => ids.has(id)),
    paidUntil: view.paidUntil === undefined ? undefined : [...view.paidUntil].filter(([id]) => ids.has(id)),
    signs: {
      ...signs,
      heardAt: [...heard, ...another],
      firstSeenAt: [...signs.firstSeenAt].filter(([id]) => ids.has(id)),
    },
  })
}

/** What `renderInputs` wrote: `reconcile` decides the same from it. */
export function parseInputs(text: string): PoolView {
  const { now, vms, idle, signs, paidUntil, ...rest } = JSON.parse(text)
  const instants = (entries: readonly (readonly [VmId, string])[]) =>
    new Map(entries.map(([id, instant]) => [id, new Date(instant)]))
  return {
    ...rest,
    now: new Date(now),
    vms: vms?.map((vm: Vm) => ({ ...vm, launchedAt: new Date(vm.launchedAt) })),
    idle: new Set(idle),
    ...(paidUntil === undefined ? undefined : { paidUntil: instants(paidUntil) }),
    signs: {
      heardAt: instants(signs.heardAt),
      firstSeenAt: instants(signs.firstSeenAt),
      listeningSince: new Date(signs.listeningSince),
      knownUntil: new Date(signs.knownUntil),
    },
  }
}

function decisionOf(row: Readonly<Record<string, unknown>>): StoredDecision {
  return {
    at: parseTimestamp(row.at) ?? new Date(0),
    reason: String(row.reason),
    actions: JSON.parse(String(row.actions)),
    unfinishedCount: Number(row.unfinished),
    runningCount: Number(row.running),
    startingCount: Number(row.starting),
    slotCount: Number(row.slots),
    usdPerHour: Number(row.price_per_hour),
    spentUsd: Number(row.spent),
    inputs: typeof row.inputs === 'string' ? row.inputs : undefined,
  }
}

function isActive({ state }: Vm): boolean {
  return state === 'starting' || state === 'running'
}
