// Which places are preferred, how a launch is spread over them, what is done when they are empty, and who may launch at all.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openJobDb } from '../../manager/job-db.ts'
import { LaunchIntents } from '../../manager/launch-intents.ts'
import { ManagerLease } from '../../manager/manager-lease.ts'
import { spreadLaunch } from '../../manager/reconcile-launch.ts'
import { paidSecondsOf } from '../../manager/reconcile-money.ts'
import { historyOf, rankChoices } from '../../manager/select-rank.ts'
import { SpotMarket } from '../../manager/spot-market.ts'
import { choice, configWith, vm } from './offers.ts'

const NOW = new Date(100 * 3_600_000)
const { tasks } = configWith()

describe('places', () => {
  it('are ranked by price over the chance to keep the VM, as this job saw it', () => {
    const [shaky, calm] = [
      choice({ zone: 'shaky', priceUsdPerHour: 0.1 }),
      choice({ zone: 'calm', priceUsdPerHour: 0.103 }),
    ]
    const zones = (vms: Parameters<typeof historyOf>[0]) =>
      rankChoices([shaky, calm], tasks, historyOf(vms, NOW)).map(({ offer }) => offer.zone)
    assert.deepEqual(zones([]), ['shaky', 'calm'])
    const taken = Array.from({ length: 20 }, () =>
      vm({ zone: 'shaky', launchedAt: new Date(NOW.getTime() - 1_800_000), endReason: 'preempted', endedAt: NOW }),
    )
    assert.deepEqual(zones(taken), ['calm', 'shaky'])
  })

  it('are ranked by how often the cloud says it takes VMs back, until the job has seen for itself', () => {
    const zones = (usd: number, vms: Parameters<typeof historyOf>[0] = []) => {
      const risky = choice({ zone: 'risky', priceUsdPerHour: usd, monthlyInterruptionShare: 0.25 })
      const safe = choice({ zone: 'safe', priceUsdPerHour: 0.1, monthlyInterruptionShare: 0.025 })
      return rankChoices(
        [risky, safe, choice({ zone: 'silent', priceUsdPerHour: 0.1 })],
        tasks,
        historyOf(vms, NOW),
      ).map(({ offer }) => offer.zone)
    }
    assert.deepEqual(zones(0.1), ['safe', 'silent', 'risky'])
    assert.deepEqual(zones(0.098), ['risky', 'safe', 'silent'])
    const quiet = vm({ zone: 'risky', launchedAt: new Date(0) })
    assert.deepEqual(zones(0.1, [quiet, quiet, quiet, quiet, quiet]), ['risky', 'safe', 'silent'])
  })

  it('on demand come after all spot ones', () => {
    const fixed = choice({ zone: 'on-demand', priceUsdPerHour: 0.01 }, { spot: false })
    assert.deepEqual(
      rankChoices([fixed, choice()], tasks, new Map()).map(({ spot }) => spot),
      [true, false],
    )
  })

  it('that cost nearly the same share a launch, each with the others to fall back on', () => {
    const zones = ['a', 'b', 'c'].map(zone => choice({ zone }))
    const dear = choice({ zone: 'dear', priceUsdPerHour: 0.14 })
    const launch = { kind: 'launch', vmCount: 8, choices: [...zones, dear], paidSeconds: 60 } as const
    const shares = spreadLaunch(launch, tasks)
    assert.deepEqual(
      shares.map(({ vmCount, choices }) => [vmCount, choices[0]?.offer.zone, choices.length]),
      [
        [3, 'a', 4],
        [3, 'b', 4],
        [2, 'c', 4],
      ],
    )
    assert.deepEqual(spreadLaunch({ ...launch, vmCount: 1 }, tasks), [{ ...launch, vmCount: 1 }])
  })

  it('without capacity rest longer and longer, while others are tried', () => {
    const market = new SpotMarket('never')
    const [empty, other] = [choice({ zone: 'empty' }), choice({ zone: 'other' })]
    const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
    const plan = { token: 't', vmCount: 1, spot: true, choices: [] }
    const fail = (seconds: number) =>
      market.report(
        plan,
        0,
        [{ reason: 'capacity', instanceType: empty.offer.instanceType, zone: 'empty', message: '' }],
        at(seconds),
      )
    const usable = (seconds: number) => market.usable([empty, other], at(seconds)).map(({ offer }) => offer.zone)
    assert.deepEqual(usable(0), ['empty', 'other'])
    fail(0)
    assert.deepEqual(usable(29), ['other'])
    assert.deepEqual(usable(30), ['empty', 'other'])
    fail(30)
    assert.deepEqual(usable(89), ['other'])
    assert.deepEqual(usable(90), ['empty', 'other'])
  })
})

describe('the lifetime that a VM is paid for', () => {
  it('is the share of what is left, for the dearest that the cloud may choose', () => {
    assert.equal(paidSecondsOf(2, [choice({ priceUsdPerHour: 1 }), choice({ priceUsdPerHour: 1.8 })], 1.000002), 1000)
    assert.equal(paidSecondsOf(2, [choice()], 1000, 600), 600)
    assert.equal(paidSecondsOf(2, [choice()], undefined), undefined)
  })
})

describe('a launch intent', () => {
  const plan = {
    vmCount: 2,
    spot: true,
    choices: [{ offer: choice().offer, startupScript: '', bootDiskGib: 10, tasksPerVm: 1 }],
  }
  const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000)
  const open = () => new LaunchIntents(openJobDb(':memory:', { mode: 'create' }).sqlite)

  it('is repeated with its token until it is answered', () => {
    const intents = open()
    const { plan: made } = intents.record(plan, NOW, 500)
    assert.equal(JSON.stringify(intents.unsettled(later(9))), JSON.stringify([{ plan: made, paidSeconds: 500 }]))
    intents.settle(made.token)
    assert.deepEqual(intents.unsettled(later(9)), [])
  })

  it('gives its money to the VMs that a listing finds instead', () => {
    const intents = open()
    intents.record(plan, NOW, 500)
    assert.deepEqual(intents.unsettled(later(11)), [])
    assert.equal(intents.paidSecondsOfFound(later(1)), 500)
    intents.forgetOld(later(11))
    assert.equal(intents.writtenOffUsd(), 0)
  })

  it('counts as spent when its VMs may have come and gone unseen', () => {
    const intents = open()
    intents.record(plan, NOW, 1800)
    intents.forgetOld(later(600))
    assert.equal(intents.writtenOffUsd(), 0.1) // two VMs of 0.1 USD/h for half an hour
    assert.deepEqual(intents.unsettled(NOW), [])
  })
})

describe('the lease of a job', () => {
  it('is for one manager at a time, and names it', () => {
    const { sqlite } = openJobDb(':memory:', { mode: 'create' })
    const first = new ManagerLease(sqlite)
    first.renew(new Date())
    assert.throws(() => new ManagerLease(sqlite), { message: new RegExp(`process ${process.pid} on `) })
    first[Symbol.dispose]()
    const second = new ManagerLease(sqlite)
    assert.throws(() => first.renew(new Date()), /taken over by another manager/)
    first[Symbol.dispose]()
    second.renew(new Date())
  })

  it('of a dead process is free at once, of another machine after five minutes', () => {
    const { sqlite } = openJobDb(':memory:', { mode: 'create' })
    const lease = new ManagerLease(sqlite)
    sqlite.exec("UPDATE manager_lease SET process_start = 'of an earlier process of this pid'")
    const next = new ManagerLease(sqlite)
    sqlite.exec("UPDATE manager_lease SET host = 'elsewhere'")
    const now = Date.now()
    assert.throws(() => new ManagerLease(sqlite, new Date(now)), /on elsewhere/)
    const last = new ManagerLease(sqlite, new Date(now + 301_000))
    assert.throws(() => next.renew(new Date()), /taken over/)
    assert.throws(() => lease.renew(new Date()), /taken over/)
    last.renew(new Date())
  })
})
