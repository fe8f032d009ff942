// The component for people's own Pulumi programs, and the whole of what `pulumi up` makes in infra/gcp: all that is static of a
// job. VMs are not in it: a manager starts and ends them.
import type { Service } from '@pulumi/gcp/cloudrunv2/service.js'
import type { InstanceTemplate } from '@pulumi/gcp/compute/instanceTemplate.js'
import { all, ComponentResource, type ComponentResourceOptions, type Input, type Output } from '@pulumi/pulumi'
import type { JobConfig } from '../../../core/job-config.ts'
import { packJob } from '../../../core/packed-job.ts'
import { type JobSource, planOf } from '../../pool-plan.ts'
import { renderGcpBootScript } from '../boot-script.ts'
import { type JobAlerts, makeAlerts } from './alerts.ts'
import { makeManager } from './manager.ts'
import { makeSubnetwork } from './network.ts'
import { placeOf } from './place.ts'
import { type StoredProgram, storePrograms } from './programs.ts'
import { type JobQueue, makeQueues } from './queues.ts'
import { makeVmAccount } from './vm-account.ts'
import { makeVmTemplate } from './vm-template.ts'

export interface SpotTaskPoolArgs extends JobSource {
  /** Who looks after the VMs: a service once a minute (default), or `cloud-tasks run` on a machine of yours. */
  readonly manager?: 'serverless' | 'here'
  /** Of the VMs, in the job's region, with a way to Google's APIs. Default: one in a network of its own. */
  readonly subnetwork?: Input<string>
  /** A path, a family or a name. Default: `image` of the job file, else Ubuntu 24.04. */
  readonly image?: string
  /** Age of the oldest task that raises the alert. Default: a day. */
  readonly oldestTaskAlertSeconds?: number
  /** Ids of the notification channels of all alerts. */
  readonly notificationChannels?: readonly Input<string>[]
}

const DAY_SECONDS = 86_400

export class SpotTaskPool extends ComponentResource {
  readonly taskQueue: JobQueue
  readonly eventQueue: JobQueue
  readonly deadLetterQueue: JobQueue
  /** What VMs run as: give it what your tasks need. */
  readonly vmServiceAccount: Output<string>
  readonly instanceTemplate: InstanceTemplate
  /** Only with the serverless manager. */
  readonly managerService: Service | undefined
  readonly alerts: JobAlerts

  /** Throws a UserError for a job that cannot be deployed to Google's cloud. */
  constructor(name: string, args: SpotTaskPoolArgs, options?: ComponentResourceOptions) {
    const { jobId, queueName, config: given } = planOf(args, 'gcp')
    const where = placeOf(jobId, given)
    super('cloud-tasks:gcp:SpotTaskPool', name, {}, options)
    const place = { ...where, parent: this }
    const config = placedConfig(given, place)
    const who = args.manager ?? 'serverless'

    const queues = makeQueues(place, queueName, config)
    const { bucket, agent, bundle, manager } = storePrograms(place, config, who)
    const vms = makeVmAccount(place, config, queues, bucket)
    const facts = { config, jobId, queueName, projectId: place.project, region: place.region }
    const delivered = all([deliveryOf(agent), deliveryOf(bundle)])
    const script = delivered.apply(([agent, bundle]) => renderGcpBootScript({ ...facts, agent, bundle }))
    const subnetwork = args.subnetwork ?? makeSubnetwork(place)
    const parts = { config, script, email: vms.email, subnetwork, image: args.image }
    this.instanceTemplate = makeVmTemplate(place, parts)
    if (manager !== undefined) {
      const packedJob = delivered.apply(programs => {
        const { environment, secrets } = config.boot
        const content = JSON.stringify([args.image, programs.map(program => program?.sha512), environment, secrets])
        return packJob({ jobId, queueName, config, content })
      })
      this.managerService = makeManager(place, { queues, vms, bucket, packedJob, program: manager })
    }
    this.alerts = makeAlerts(place, {
      queues,
      oldestTaskSeconds: args.oldestTaskAlertSeconds ?? DAY_SECONDS,
      maxTotalCostUsd: config.pool.maxTotalCostUsd,
      manager: this.managerService,
      notify: args.notificationChannels ?? [],
    })
    this.taskQueue = queues.tasks
    this.eventQueue = queues.events
    this.deadLetterQueue = queues.dead
    this.vmServiceAccount = vms.email
    this.registerOutputs(this.outputs())
  }

  /** By purpose, for people. */
  outputs(): Readonly<Record<string, Output<string>>> {
    return {
      'task queue': this.taskQueue.subscription.id,
      'event queue': this.eventQueue.subscription.id,
      'dead-letter queue': this.deadLetterQueue.subscription.id,
      'instance template': this.instanceTemplate.name,
      'account of the VMs': this.vmServiceAccount,
      ...(this.managerService && { manager: this.managerService.name }),
    }
  }
}

/** VMs and manager are told where they are, whoever has said it. */
function placedConfig(config: JobConfig, { project, region }: { project: string; region: string }): JobConfig {
  return { ...config, region, section: { ...config.section, project_id: project, region } }
}

function deliveryOf(program: StoredProgram | undefined) {
  return program && { url: program.url, sha512: program.sha512 }
}
