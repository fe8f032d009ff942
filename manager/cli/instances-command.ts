// list_running_instances: the VMs of a job, or of all jobs, one by one.
import { UserError } from '../../core/errors.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Vm } from '../../infra/provider.ts'
import { renderTable } from '../render-table.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'
import { providerSettings } from './open-job.ts'
import { renderFacts } from './render-facts.ts'
import { type SortKeys, sortRows } from './sort-rows.ts'

const created = (vm: Vm) => vm.launchedAt.getTime()
const KEYS: SortKeys<Vm> = {
  id: vm => vm.id,
  i: vm => vm.id,
  job: vm => vm.jobId,
  job_id: vm => vm.jobId,
  type: vm => vm.instanceType,
  t: vm => vm.instanceType,
  state: vm => vm.state,
  s: vm => vm.state,
  zone: vm => vm.zone,
  z: vm => vm.zone,
  created,
  creation: created,
  c: created,
  time: created,
  creation_time: created,
}

export async function listRunningInstancesCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const { config } = await loadConfig(invocation)
  const { jobId, region } = config
  const everyJob = options.has('all-instances')
  if (jobId === undefined && !everyJob) {
    throw new UserError('Which job? Give --job-id, --config with job_id, or --all-instances.')
  }
  const provider = await openProvider(config.provider, providerSettings(config, invocation))
  try {
    const pool = provider.openPool({ jobId: jobId ?? '', ...(region === undefined ? undefined : { region }) })
    const all = await pool.list({ everyJob })
    const wanted = options.has('include-terminated') ? all : all.filter(vm => vm.state !== 'terminated')
    const vms = sortRows(wanted, options.text('sort-by') ?? 'id', KEYS)
    if (options.has('json')) terminal.print(JSON.stringify(vms, undefined, 2))
    else terminal.print(render(everyJob ? undefined : jobId, vms, options.has('detail')))
    return 0
  } finally {
    await provider.close()
  }
}

function render(jobId: string | undefined, vms: readonly Vm[], detail: boolean): string {
  const states = new Map<string, number>()
  for (const vm of vms) states.set(vm.state, (states.get(vm.state) ?? 0) + 1)
  const rows = vms.map(vm => [vm.jobId, vm.id, vm.instanceType, vm.state, vm.zone, vm.launchedAt.toISOString()])
  return [
    jobId === undefined ? 'Instances of all jobs:' : `Instances of job ${jobId}:`,
    ...(vms.length === 0
      ? []
      : detail
        ? vms.map(block)
        : [renderTable(['Job ID', 'ID', 'Type', 'State', 'Zone', 'Created'], rows)]),
    `Summary: ${vms.length} total instances`,
    ...[...states].toSorted().map(([state, count]) => `  ${count} ${state}`),
  ].join('\n')
}

function block(vm: Vm): string {
  const price = vm.priceUsdPerHour === undefined ? 'not known' : `$${vm.priceUsdPerHour}/h`
  return `${renderFacts({
    'Instance ID': vm.id,
    Type: `${vm.instanceType} (${vm.vcpuCount} vCPUs, ${vm.spot ? 'spot' : 'on demand'})`,
    State: vm.endReason === undefined ? vm.state : `${vm.state}: ${vm.endReason}`,
    Zone: vm.zone,
    'Job ID': vm.jobId,
    Created: vm.launchedAt.toISOString(),
    Ended: vm.endedAt?.toISOString(),
    Price: price,
    'Private IP': vm.privateIp,
    'Public IP': vm.publicIp,
  })}\n`
}
