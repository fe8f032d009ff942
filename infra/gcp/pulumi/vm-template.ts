// What every VM of a job starts from: image, script, disk, account and network. Types and zones are chosen at each launch.
import { InstanceTemplate } from '@pulumi/gcp/compute/instanceTemplate.js'
import { type Input, type Output, output } from '@pulumi/pulumi'
import { UserError } from '../../../core/errors.ts'
import type { BootDiskNeeds, JobConfig } from '../../../core/job-config.ts'
import { vmNamePrefix } from '../../../core/names.ts'
import { GcpConnection } from '../connection.ts'
import { findImage } from '../images.ts'
import { GcpRest } from '../rest.ts'
import { JOB_LABEL } from '../vm-labels.ts'
import type { Place } from './place.ts'

export interface VmTemplateParts {
  readonly config: JobConfig
  readonly script: Input<string>
  readonly email: Input<string>
  readonly subnetwork: Input<string>
  /** Wins over the job file. */
  readonly image?: string | undefined
}

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform' // what a VM may do is said by its roles
const LIFETIME_MARGIN_SECONDS = 180 // the VM ends itself before the cloud does
const LEAST_RUN_SECONDS = 30
const MOST_RUN_SECONDS = 120 * 86_400 // https://cloud.google.com/compute/docs/instances/limit-vm-runtime

export function makeVmTemplate(place: Place, parts: VmTemplateParts): InstanceTemplate {
  const { jobId, project, parent } = place
  const { config, script, email, subnetwork } = parts
  const labels = { [JOB_LABEL]: jobId }
  return new InstanceTemplate(
    'template',
    {
      name: vmNamePrefix(jobId),
      project,
      description: `VMs of Cloud Tasks job ${jobId}`,
      machineType: config.machine.architecture === 'ARM64' ? 't2a-standard-1' : 'e2-standard-2', // every launch says its own
      disks: [{ ...bootDisk(config.bootDisk), sourceImage: imageOf(place, parts), labels }],
      networkInterfaces: [{ subnetwork, accessConfigs: [{ networkTier: 'PREMIUM' }] }],
      scheduling: schedulingOf(config),
      serviceAccount: { email, scopes: [CLOUD_PLATFORM] },
      shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
      metadata: { 'startup-script': script, 'block-project-ssh-keys': 'TRUE', 'enable-oslogin': 'TRUE' },
      labels,
      tags: [vmNamePrefix(jobId)],
    },
    // It cannot be changed, only made anew, and its name is the job's.
    { parent, deleteBeforeReplace: true },
  )
}

function schedulingOf({ pool, boot }: JobConfig) {
  const lifetime = boot.maxVmLifetimeSeconds
  const seconds = lifetime === undefined ? undefined : Math.max(LEAST_RUN_SECONDS, lifetime + LIFETIME_MARGIN_SECONDS)
  const limited = seconds !== undefined && seconds <= MOST_RUN_SECONDS
  return {
    automaticRestart: false,
    provisioningModel: pool.spot ? 'SPOT' : 'STANDARD',
    preemptible: pool.spot,
    onHostMaintenance: pool.spot ? 'TERMINATE' : 'MIGRATE',
    ...((pool.spot || limited) && { instanceTerminationAction: 'DELETE' }), // a disk that is left costs money
    ...(limited && { maxRunDuration: { seconds } }),
  }
}

/** The disks of Google that a VM can boot from, by the Python system's words for them. */
const DISK_TYPES: Readonly<Record<string, string>> = {
  'pd-standard': 'pd-standard',
  'pd-balanced': 'pd-balanced',
  'pd-ssd': 'pd-ssd',
  'pd-extreme': 'pd-extreme',
  'hd-balanced': 'hyperdisk-balanced',
  'hyperdisk-balanced': 'hyperdisk-balanced',
}

function bootDisk({ types, totalGib, iops, throughputMibPerSecond }: BootDiskNeeds) {
  const wanted = types?.[0] ?? 'pd-balanced'
  const diskType = DISK_TYPES[wanted]
  if (diskType === undefined) {
    const known = Object.keys(DISK_TYPES).join(', ')
    throw new UserError(`boot_disk_types: "${wanted}" is no boot disk of Google's cloud; choose of ${known}.`)
  }
  const hyperdisk = diskType === 'hyperdisk-balanced'
  return {
    boot: true,
    autoDelete: true,
    diskType,
    diskSizeGb: Math.ceil(totalGib),
    ...((hyperdisk || diskType === 'pd-extreme') && iops !== undefined && { provisionedIops: iops }),
    ...(hyperdisk &&
      throughputMibPerSecond !== undefined && { provisionedThroughput: Math.ceil(throughputMibPerSecond) }),
  }
}

/** A bare name is looked up, as for every other command. */
function imageOf({ project }: Place, { config, image = config.boot.image }: VmTemplateParts): Output<string> {
  const connection = new GcpConnection({
    projectId: project,
    ...(config.section.credentials_file && { credentialsFile: config.section.credentials_file }),
    env: process.env,
  })
  const architecture = config.machine.architecture ?? 'X86_64'
  return output(findImage(new GcpRest(connection, 'COMPUTE'), project, { image, architecture }))
}
