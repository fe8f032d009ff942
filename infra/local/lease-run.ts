// Receipts of a local queue, and runs of neighbours among them: what was received together is mostly settled together.
import { type Receipt, receipt } from '../../core/ids.ts'

/** One receipt, read: `<message id>:<token of the receive>`. */
interface Lease {
  readonly id: number
  readonly token: number
  readonly receipt: Receipt
}

/** Leases of one token with ids from `first` to `last` without a gap. */
export interface LeaseRun {
  readonly first: number
  readonly last: number
  readonly token: number
  readonly receipts: readonly Receipt[]
}

export function receiptOf(id: number, token: number): Receipt {
  return receipt(`${id}:${token}`)
}

export function parseReceipts(receipts: readonly Receipt[]): { leases: Lease[]; malformed: Receipt[] } {
  const leases: Lease[] = []
  const malformed: Receipt[] = []
  for (const text of receipts) {
    const colon = text.indexOf(':')
    const id = Number(text.slice(0, colon))
    const token = Number(text.slice(colon + 1))
    if (colon > 0 && Number.isSafeInteger(id) && Number.isSafeInteger(token)) leases.push({ id, token, receipt: text })
    else malformed.push(text)
  }
  leases.sort((a, b) => a.token - b.token || a.id - b.id)
  return { leases: leases.filter((lease, index) => !sameLease(lease, leases[index - 1])), malformed }
}

export function runsOf(leases: readonly Lease[]): readonly LeaseRun[] {
  const runs: LeaseRun[] = []
  for (let start = 0; start < leases.length; ) {
    let end = start + 1
    while (end < leases.length && follows(leases[end], leases[end - 1])) end++
    runs.push(runOf(leases.slice(start, end)))
    start = end
  }
  return runs
}

export function singleRuns(leases: readonly Lease[]): readonly LeaseRun[] {
  return leases.map(lease => runOf([lease]))
}

function runOf(leases: readonly Lease[]): LeaseRun {
  const first = leases[0]?.id ?? 0
  return {
    first,
    last: first + leases.length - 1,
    token: leases[0]?.token ?? 0,
    receipts: leases.map(lease => lease.receipt),
  }
}

function sameLease(a: Lease, b: Lease | undefined): boolean {
  return b !== undefined && a.id === b.id && a.token === b.token
}

function follows(a: Lease | undefined, b: Lease | undefined): boolean {
  return a !== undefined && b !== undefined && a.token === b.token && a.id === b.id + 1
}
