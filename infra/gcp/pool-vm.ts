// What Compute Engine says of an instance, in the words of the pool seam. Pure.
import { vmId } from '../../core/ids.ts'
import type { Vm, VmState } from '../provider.ts'
import { type Json, listOf, objectOf, textOf } from './rest.ts'
import { jobOfVm, readTypeLabel } from './vm-labels.ts'

/** Of each instance; without its metadata, which holds the whole startup script. */
export const INSTANCE_FIELDS =
  'name,zone,status,machineType,creationTimestamp,labels,scheduling(provisioningModel,preemptible),networkInterfaces(networkIP,accessConfigs/natIP)'

/** undefined for what is no VM of a job of ours or of the Python system. */
export function vmOf(instance: Json): Vm | undefined {
  const name = textOf(instance.name) ?? ''
  const jobId = jobOfVm(name)
  if (jobId === undefined) return undefined
  const instanceType = lastPart(instance.machineType)
  const labels: Record<string, string> = {}
  for (const [key, value] of Object.entries(objectOf(instance.labels))) labels[key] = String(value)
  const type = readTypeLabel(labels, instanceType)
  const scheduling = objectOf(instance.scheduling)
  const network = objectOf(listOf(instance.networkInterfaces)[0])
  const [privateIp, publicIp] = [textOf(network.networkIP), textOf(objectOf(listOf(network.accessConfigs)[0]).natIP)]
  const status = textOf(instance.status) ?? ''
  return {
    id: vmId(name),
    jobId,
    state: stateOf(status),
    instanceType,
    zone: lastPart(instance.zone),
    spot: scheduling.provisioningModel === 'SPOT' || scheduling.preemptible === true,
    vcpuCount: type?.vcpuCount ?? vcpusOf(instanceType),
    priceUsdPerHour: type?.priceUsdPerHour,
    launchedAt: new Date(textOf(instance.creationTimestamp) ?? 0),
    ...(type?.bootDiskType && { bootDiskType: type.bootDiskType }),
    ...(privateIp && { privateIp }),
    ...(publicIp && { publicIp }),
    ...(status === 'TERMINATED' && { endReason: 'powered off' }),
  }
}

/** A stopped one works no more, but its disk costs money until it is deleted. */
function stateOf(status: string): VmState {
  switch (status) {
    case 'PENDING':
    case 'PROVISIONING':
    case 'STAGING':
      return 'starting'
    case 'DEPROVISIONING':
    case 'PENDING_STOP':
    case 'STOPPED':
    case 'STOPPING':
    case 'SUSPENDED':
    case 'SUSPENDING':
    case 'TERMINATED':
      return 'stopping'
    default:
      return 'running'
  }
}

/** The Python system's VMs carry no labels; most names end with the number. */
function vcpusOf(instanceType: string): number {
  return Number(/-(\d+)(?:-\d+)?(?:-lssd)?$/.exec(instanceType)?.[1] ?? 0)
}

/** Compute Engine names things by their addresses. */
export function lastPart(link: unknown): string {
  return textOf(link)?.split('/').at(-1) ?? 'unknown'
}
