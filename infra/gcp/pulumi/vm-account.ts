// What the VMs of a job run as and may do: exactly what an agent does, with the queues, objects and secrets of this job, and to
// delete themselves.
import { IAMCustomRole } from '@pulumi/gcp/projects/iamcustomRole.js'
import { IAMMember } from '@pulumi/gcp/projects/iammember.js'
import { SubscriptionIAMMember } from '@pulumi/gcp/pubsub/subscriptionIAMMember.js'
import { TopicIAMMember } from '@pulumi/gcp/pubsub/topicIAMMember.js'
import { SecretIamMember } from '@pulumi/gcp/secretmanager/secretIamMember.js'
import { Account } from '@pulumi/gcp/serviceaccount/account.js'
import type { Bucket } from '@pulumi/gcp/storage/bucket.js'
import { BucketIAMMember } from '@pulumi/gcp/storage/bucketIAMMember.js'
import { type Input, interpolate, type Output, output } from '@pulumi/pulumi'
import type { JobConfig } from '../../../core/job-config.ts'
import { vmNamePrefix } from '../../../core/names.ts'
import { OBJECT_PREFIX } from '../../object-key.ts'
import { PROGRAMS_PREFIX, stackBucket } from '../stack-names.ts'
import { accountId, type Place } from './place.ts'
import type { JobQueues } from './queues.ts'

export interface VmAccount {
  readonly email: Output<string>
  /** Only where the job names none. */
  readonly account: Account | undefined
  /** By which VMs of this job, and no others, can be deleted. */
  readonly endsVms: EndsVms
}

export interface EndsVms {
  readonly role: Output<string>
  readonly condition: { readonly title: string; readonly expression: string }
}

export function makeVmAccount(place: Place, config: JobConfig, queues: JobQueues, programs: Bucket): VmAccount {
  const { jobId, project, parent } = place
  const given = config.section.worker_service_account ?? config.section.service_account
  const account =
    given === undefined
      ? new Account(
          'vm-account',
          { accountId: accountId(jobId, 'vm'), project, displayName: `VMs of Cloud Tasks job ${jobId}` },
          { parent },
        )
      : undefined
  const email = output(account?.email ?? given ?? '')
  const member = interpolate`serviceAccount:${email}`
  letUseQueues(place, member, queues)
  letUseObjects(place, member, config, programs)
  for (const [index, address] of Object.values(config.boot.secrets).entries()) {
    const { secret, project: owner = project } = secretOf(address)
    const secretId = `projects/${owner}/secrets/${secret}`
    new SecretIamMember(
      `vm-reads-secret-${index}`,
      { secretId, role: 'roles/secretmanager.secretAccessor', member },
      { parent },
    )
  }
  new IAMMember('vm-writes-log', { project, role: 'roles/logging.logWriter', member }, { parent })
  const endsVms = makeEndsVms(place)
  new IAMMember('vm-deletes-itself', { project, ...endsVms, member }, { parent })
  return { email, account, endsVms }
}

function letUseQueues({ project, parent }: Place, member: Input<string>, queues: JobQueues): void {
  new SubscriptionIAMMember(
    'vm-takes-tasks',
    { project, subscription: queues.tasks.subscription.name, role: 'roles/pubsub.subscriber', member },
    { parent },
  )
  for (const [id, { topic, subscription }] of Object.entries(queues)) {
    // A task that is not done yet is sent again by its agent, with its history.
    new TopicIAMMember(
      `vm-sends-${id}`,
      { project, topic: topic.name, role: 'roles/pubsub.publisher', member },
      { parent },
    )
    // Nothing is sent to a topic of which nobody knows that it has a subscription.
    new SubscriptionIAMMember(
      `vm-sees-${id}`,
      { project, subscription: subscription.name, role: 'roles/pubsub.viewer', member },
      { parent },
    )
  }
}

function letUseObjects(place: Place, member: Input<string>, config: JobConfig, programs: Bucket): void {
  const { jobId, project, parent } = place
  const readable = `projects/_/buckets/${stackBucket(project, jobId)}/objects/${PROGRAMS_PREFIX}`
  new BucketIAMMember(
    'vm-reads-programs',
    {
      bucket: programs.name,
      role: 'roles/storage.objectViewer',
      member,
      condition: { title: 'programs of the job', expression: `resource.name.startsWith("${readable}")` },
    },
    { parent },
  )
  const { bucket } = config.section
  if (bucket === undefined) return
  const prefix = `projects/_/buckets/${bucket}/objects/${OBJECT_PREFIX}${jobId}/`
  new BucketIAMMember(
    'vm-keeps-results',
    {
      bucket,
      role: 'roles/storage.objectUser',
      member,
      condition: { title: 'results of the job', expression: `resource.name.startsWith("${prefix}")` },
    },
    { parent },
  )
}

/** No role of Google's can do this alone. */
function makeEndsVms({ jobId, project, parent }: Place): EndsVms {
  const role = new IAMCustomRole(
    'ends-vms',
    {
      roleId: `cloudTasksEndsVms_${jobId.replaceAll('-', '_')}`,
      project,
      title: `Cloud Tasks ${jobId}: deletes VMs`,
      permissions: ['compute.instances.delete'],
    },
    { parent },
  )
  const vms = `resource.name.extract("/instances/{name}").startsWith("${vmNamePrefix(jobId)}-")`
  return { role: role.name, condition: { title: 'VMs of the job', expression: vms } }
}

/** As boot-tools.ts reads them: a name, or a path with or without project and version. */
function secretOf(address: string): { readonly secret: string; readonly project?: string } {
  const [, project, secret] = /^projects\/([^/]+)\/secrets\/([^/]+)/.exec(address) ?? []
  if (project !== undefined && secret !== undefined) return { secret, project }
  return { secret: address.replace(/\/versions\/.*$/, '') }
}
