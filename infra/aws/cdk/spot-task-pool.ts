// The construct for people's own CDK apps, and the whole of what "cloud-tasks deploy" makes on AWS: all that is static of a
// job. VMs are not in it: a manager starts and ends them.
import { CfnOutput, Duration, Stack, Tags } from 'aws-cdk-lib'
import type { Dashboard } from 'aws-cdk-lib/aws-cloudwatch'
import type { Table } from 'aws-cdk-lib/aws-dynamodb'
import type { CfnLaunchTemplate, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2'
import type { Role } from 'aws-cdk-lib/aws-iam'
import { Code, type Function as LambdaFn } from 'aws-cdk-lib/aws-lambda'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { packJob } from '../../../core/packed-job.ts'
import { type JobSource, planOf } from '../../pool-plan.ts'
import { renderAwsBootScript } from '../boot-script.ts'
import { MANAGER_HANDLERS, type StoredProgram, type StoredPrograms } from '../programs.ts'
import { SUBNET_JOB_TAG } from '../vm-tags.ts'
import { type JobAlarms, makeAlarms } from './alarms.ts'
import { makeCleanup } from './cleanup.ts'
import type { ManagerCode } from './function-parts.ts'
import { makeDashboard } from './job-dashboard.ts'
import { makeManager } from './manager.ts'
import { makeNetwork } from './network.ts'
import { managerCodeAsset, vmProgramAssets } from './program-assets.ts'
import { makeQueues } from './queues.ts'
import { makeVmRole } from './vm-role.ts'
import { makeVmTemplate } from './vm-template.ts'

export interface SpotTaskPoolProps extends JobSource {
  /** Who looks after the VMs: a function once a minute (default), or `cloud-tasks run` on a machine of yours. */
  readonly manager?: 'serverless' | 'here'
  /** Network of the VMs. Default: the job file's subnets, else a network of its own. */
  readonly vpc?: IVpc
  /** Which subnets of `vpc`. Default: the public ones. VMs need a way to SQS. */
  readonly subnets?: SubnetSelection
  /** Zones of the network of its own. Default: 3. */
  readonly zoneCount?: number
  /** `ami-…` or a path of SSM. Default: `image` of the job file, else Ubuntu 24.04. */
  readonly image?: string
  /** Of the image. Default: `/dev/sda1`, or `/dev/xvda` for paths of Amazon Linux. */
  readonly rootDeviceName?: string
  /** Age of the oldest task that raises the alarm. Default: a day. */
  readonly oldestTaskAlarm?: Duration
  /** Tags of all that is made. */
  readonly tags?: Readonly<Record<string, string>>
  /** What lies in a bucket already. Default: assets of the CDK. */
  readonly programs?: StoredPrograms
}

export class SpotTaskPool extends Construct {
  readonly taskQueue: Queue
  readonly eventQueue: Queue
  readonly deadLetterQueue: Queue
  /** Give it what your tasks need, e.g. `bucket.grantRead(pool.vmRole)`. */
  readonly vmRole: Role
  readonly launchTemplate: CfnLaunchTemplate
  /** Only with the serverless manager, as `notebook`. */
  readonly managerFunction?: LambdaFn
  /** What the serverless manager remembers. */
  readonly notebook?: Table
  readonly alarms: JobAlarms
  readonly dashboard: Dashboard

  constructor(scope: Construct, id: string, props: SpotTaskPoolProps) {
    super(scope, id)
    const { jobId, queueName, config } = planOf(props, 'aws')
    const { section } = config
    Tags.of(this).add(SUBNET_JOB_TAG, jobId)
    for (const [key, value] of Object.entries(props.tags ?? {})) Tags.of(this).add(key, value)

    const queues = makeQueues(this, { queueName, leaseSeconds: config.tasks.leaseSeconds })
    const network = makeNetwork(this, {
      subnetIds: listOf(section.subnets),
      securityGroupIds: listOf(section.security_groups),
      vpc: props.vpc,
      subnets: props.subnets,
      zone: config.zone,
      zoneCount: props.zoneCount,
    })
    const { agent, bundle } = props.programs ?? vmProgramAssets(this, config)
    const programs = [agent, bundle].filter(program => program !== undefined)
    const { role, profile } = makeVmRole(this, { jobId, config, queues, programs })
    const script = renderAwsBootScript({
      config,
      jobId,
      queueName,
      region: Stack.of(this).region,
      agent: deliveryOf(agent),
      bundle: deliveryOf(bundle),
    })
    const { template, imageId } = makeVmTemplate(this, {
      jobId,
      config,
      script,
      profile,
      network,
      image: props.image,
      rootDeviceName: props.rootDeviceName,
    })

    const serverless = (props.manager ?? 'serverless') === 'serverless'
    if (serverless) {
      const code = managerCode(this, props.programs)
      const { environment, secrets } = config.boot
      const content = JSON.stringify([props.image, programs.map(({ sha512 }) => sha512), environment, secrets])
      const packedJob = packJob({ jobId, queueName, config, content })
      const heldByVms = [...network.heldByVms, template, profile, role, ...Object.values(queues)]
      const cleanup = makeCleanup(this, { jobId, packedJob, code, heldByVms })
      const reach = { jobId, queues, network, template, imageId, vmRole: role }
      const manager = makeManager(this, { ...reach, packedJob, code, cleanup })
      this.managerFunction = manager.function
      this.notebook = manager.notebook
    }
    const manager = this.managerFunction
    this.alarms = makeAlarms(this, {
      jobId,
      queues,
      oldestTask: props.oldestTaskAlarm ?? Duration.days(1),
      maxTotalCostUsd: config.pool.maxTotalCostUsd,
      manager,
    })
    this.dashboard = makeDashboard(this, { jobId, queues, alarms: this.alarms, manager })
    this.taskQueue = queues.tasks
    this.eventQueue = queues.events
    this.deadLetterQueue = queues.dead
    this.vmRole = role
    this.launchTemplate = template
    this.#say()
  }

  #say(): void {
    const { region } = Stack.of(this)
    const say = (id: string, description: string, value: string | undefined) => {
      if (value !== undefined) new CfnOutput(this, id, { description, value })
    }
    say('TaskQueueUrl', 'task queue', this.taskQueue.queueUrl)
    say('EventQueueUrl', 'event queue', this.eventQueue.queueUrl)
    say('DeadLetterQueueUrl', 'dead-letter queue', this.deadLetterQueue.queueUrl)
    say('LaunchTemplateName', 'launch template', this.launchTemplate.launchTemplateName)
    say('VmRoleName', 'role of the VMs', this.vmRole.roleName)
    say('ManagerName', 'manager', this.managerFunction?.functionName)
    say(
      'DashboardUrl',
      'dashboard',
      `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${this.dashboard.dashboardName}`,
    )
  }
}

function managerCode(scope: Construct, stored: StoredPrograms | undefined): ManagerCode {
  if (stored?.manager === undefined) return { code: managerCodeAsset(), ...MANAGER_HANDLERS }
  const bucket = Bucket.fromBucketName(scope, 'Programs', stored.manager.bucket)
  return { code: Code.fromBucketV2(bucket, stored.manager.key), ...MANAGER_HANDLERS }
}

function deliveryOf(program: StoredProgram | undefined) {
  return program && { url: `s3://${program.bucket}/${program.key}`, sha512: program.sha512 }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value
}
