// What the serverless manager may do: look at queues, prices and VMs, start VMs as the account of this job's VMs, and end
// those of this job alone.
import { IAMCustomRole } from '@pulumi/gcp/projects/iamcustomRole.js'
import { IAMMember } from '@pulumi/gcp/projects/iammember.js'
import { SubscriptionIAMMember } from '@pulumi/gcp/pubsub/subscriptionIAMMember.js'
import { IAMMember as AccountIAMMember } from '@pulumi/gcp/serviceaccount/iammember.js'
import type { Bucket } from '@pulumi/gcp/storage/bucket.js'
import { BucketIAMMember } from '@pulumi/gcp/storage/bucketIAMMember.js'
import { type Input, interpolate, type Resource } from '@pulumi/pulumi'
import { NOTES_PREFIX, stackBucket } from '../stack-names.ts'
import type { Place } from './place.ts'
import type { JobQueues } from './queues.ts'
import type { VmAccount } from './vm-account.ts'

export interface ManagerReach {
  readonly email: Input<string>
  readonly queues: JobQueues
  readonly vms: VmAccount
  readonly bucket: Bucket
}

/** Of what pool*.ts and catalog*.ts ask, and what Compute Engine asks of who launches such VMs. */
const LOOKS_AND_LAUNCHES = [
  'compute.disks.create',
  'compute.disks.setLabels',
  'compute.instanceTemplates.get',
  'compute.instances.create',
  'compute.instances.get',
  'compute.instances.list',
  'compute.instances.setLabels',
  'compute.instances.setMetadata',
  'compute.instances.setServiceAccount',
  'compute.instances.setTags',
  'compute.machineTypes.get',
  'compute.machineTypes.list',
  'compute.regionOperations.get',
  'compute.regions.get',
  'compute.regions.list',
  'compute.subnetworks.use',
  'compute.subnetworks.useExternalIp',
  'compute.zoneOperations.get',
  'compute.zoneOperations.list',
  'compute.zones.list',
  'monitoring.timeSeries.list', // how many tasks wait
]

/** What the manager cannot work without. */
export function letManage({ jobId, project, parent }: Place, reach: ManagerReach): Resource[] {
  const { email, queues, vms, bucket } = reach
  const member = interpolate`serviceAccount:${email}`
  const role = new IAMCustomRole(
    'manages',
    {
      roleId: `cloudTasksManages_${jobId.replaceAll('-', '_')}`,
      project,
      title: `Cloud Tasks ${jobId}: manages VMs`,
      permissions: LOOKS_AND_LAUNCHES,
    },
    { parent },
  )
  const notes = `projects/_/buckets/${stackBucket(project, jobId)}/objects/${NOTES_PREFIX}`
  return [
    new IAMMember('manager-manages', { project, role: role.name, member }, { parent }),
    new IAMMember('manager-ends-vms', { project, ...vms.endsVms, member }, { parent }),
    new AccountIAMMember(
      'manager-launches-as-vm',
      {
        serviceAccountId: vms.account?.name ?? interpolate`projects/${project}/serviceAccounts/${vms.email}`,
        role: 'roles/iam.serviceAccountUser',
        member,
      },
      { parent },
    ),
    ...Object.entries(queues).map(
      ([id, { subscription }]) =>
        new SubscriptionIAMMember(
          `manager-sees-${id}`,
          { project, subscription: subscription.name, role: 'roles/pubsub.viewer', member },
          { parent },
        ),
    ),
    new BucketIAMMember(
      'manager-reads-bucket',
      { bucket: bucket.name, role: 'roles/storage.objectViewer', member },
      { parent },
    ),
    new BucketIAMMember(
      'manager-writes-notes',
      {
        bucket: bucket.name,
        role: 'roles/storage.objectUser',
        member,
        condition: { title: 'notes of the manager', expression: `resource.name.startsWith("${notes}")` },
      },
      { parent },
    ),
  ]
}
