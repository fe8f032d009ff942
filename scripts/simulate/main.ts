// npm run simulate [-- --seed N --tasks N --vms N]: the real reconciler against what the Python system does and against the
// cheapest that is thinkable, in a simulated cloud. docs/reconciler.md explains the table.
import { parseArgs } from 'node:util'
import { microUsdOf } from '../../manager/ledger.ts'
import { renderTable } from '../../manager/render-table.ts'
import { fillToBudget } from './fill-to-budget.ts'
import { runReconciler } from './run-reconciler.ts'
import { openCloud, scenario } from './scenario.ts'
import type { SimulatedCloud } from './simulated-cloud.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    tasks: { type: 'string', default: '1000000' },
    vms: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
})
const world = scenario({ seed: Number(values.seed), taskCount: Number(values.tasks), vmCount: Number(values.vms) })

const ourCloud = openCloud(world, { failing: true })
const ours = await runReconciler({ cloud: ourCloud, config: world.config, choices: world.choices })
const budgetCloud = openCloud(world, { failing: false })
const [cheapest] = world.choices
if (cheapest === undefined) throw new Error('The scenario offers nothing.')
const budget = await fillToBudget(budgetCloud, world.config, cheapest)

const rows = [
  rowOf('reconciler', ourCloud, ours.simulatedSeconds),
  rowOf('fill to budget', budgetCloud, budget.simulatedSeconds),
  optimum(),
]
const decisionsPerSecond = ours.decisionCount / ours.decidingSeconds
if (values.json)
  console.log(JSON.stringify({ ...values, rows, decisionsPerSecond, aborted: ours.aborted }, undefined, 2))
else {
  console.log(
    renderTable(
      ['policy', 'hours', 'VM hours', 'USD', 'against optimum', 'most VMs', 'VMs in all', 'preempted', 'done'],
      rows.map(row => [
        row.policy,
        row.hours.toFixed(2),
        row.vmHours.toFixed(0),
        row.usd.toFixed(2),
        (row.usd / (rows[2]?.usd ?? 1)).toFixed(2),
        String(row.mostVms),
        String(row.vmCount),
        String(row.preemptionCount),
        String(row.doneCount),
      ]),
    ),
  )
  console.log(
    `${ours.decisionCount} decisions of the reconciler (${ours.storedDecisionCount} of them stored), ` +
      `${decisionsPerSecond.toFixed(0)} a second of CPU with all that belongs to them`,
  )
}
if (ours.aborted !== undefined || ourCloud.unfinishedCount > 0) {
  console.error(`The job was not finished: ${ours.aborted ?? 'too many decisions'}.`)
  process.exitCode = 1
}

interface Row {
  readonly policy: string
  readonly hours: number
  readonly vmHours: number
  readonly usd: number
  readonly mostVms: number
  readonly vmCount: number
  readonly preemptionCount: number
  readonly doneCount: number
}

function rowOf(policy: string, cloud: SimulatedCloud, seconds: number): Row {
  cloud.advance(cloud.nowMs + 60_000) // the bills of the last VMs end
  const vms = cloud.allVms()
  const now = new Date(cloud.nowMs)
  const ms = vms.reduce((sum, vm) => sum + (vm.endedAt ?? now).getTime() - vm.launchedAt.getTime(), 0)
  return {
    policy,
    hours: seconds / 3600,
    vmHours: ms / 3_600_000,
    usd: vms.reduce((sum, vm) => sum + microUsdOf(vm, now), 0) / 1e6,
    mostVms: cloud.mostVms,
    vmCount: vms.length,
    preemptionCount: cloud.preemptionCount,
    doneCount: cloud.doneCount,
  }
}

/** Who knows the future pays for nothing but the work, where it is cheapest, and for one boot of each VM. */
function optimum(): Row {
  const { choices, config, options } = world
  const usdPerPlaceHour = Math.min(...choices.map(choice => choice.offer.priceUsdPerHour / choice.tasksPerVm))
  const { maxInstances } = config.pool
  const places = Math.max(...choices.map(choice => choice.tasksPerVm))
  const workHours = ourCloud.workSeconds() / 3600
  const usdPerBoot = (Math.min(...choices.map(choice => choice.offer.priceUsdPerHour)) * options.bootSeconds) / 2 / 3600
  return {
    policy: 'clairvoyant optimum',
    hours: workHours / (maxInstances * places),
    vmHours: workHours / places,
    usd: workHours * usdPerPlaceHour + maxInstances * usdPerBoot,
    mostVms: maxInstances,
    vmCount: maxInstances,
    preemptionCount: 0,
    doneCount: options.taskCount,
  }
}
