// Says in one sentence why the pool has the size it has. Pure.
import type { StoredAction, StoredDecision } from './decisions.ts'

export function explainDecision(decision: StoredDecision, at: Date): string {
  const { runningCount, startingCount, slotCount, unfinishedCount, actions, reason } = decision
  const vmCount = runningCount + startingCount
  const vms =
    vmCount === 0
      ? 'no VM'
      : `${count(vmCount, 'VM')} (${startingCount > 0 ? `${startingCount} still starting, ` : ''}places for ${count(slotCount, 'task')})`
  const done = actions.map(describeAction)
  const because = sameAsAction(reason, actions) ? done : [...done, reason]
  const since = decision.at.getTime() < at.getTime() ? `, as decided at ${instant(decision.at)}` : ''
  return `At ${instant(at)} there was ${vms} for ${count(unfinishedCount, 'unfinished task')}${since}: ${because.join('; ')}.`
}

function describeAction(action: StoredAction): string {
  switch (action.kind) {
    case 'launch': {
      const { vmCount, spot, instanceType, zone, paidSeconds } = action
      const paid = paidSeconds === undefined ? '' : `, each paid for ${paidSeconds} s of life`
      return `${count(vmCount, spot ? 'spot VM' : 'VM')} ${instanceType} ${zone === '' ? '' : `in ${zone} `}asked for${paid}`
    }
    case 'terminate':
      return `${count(action.vmCount, 'VM')} ended (${action.because})`
    case 'abort':
      return `the job was stopped, because ${action.because}`
  }
}

function sameAsAction(reason: string, actions: readonly StoredAction[]): boolean {
  return actions.some(action => action.kind !== 'launch' && action.because === reason)
}

function count(value: number, what: string): string {
  return `${value.toLocaleString('en-US')} ${what}${value === 1 ? '' : 's'}`
}

function instant(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
