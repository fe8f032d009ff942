// What the stack of a job declares on Google's cloud, for every setting of a job. Words that Google's APIs know only by heart are
// held against lists: neither the compiler nor Pulumi's mocks would find one that is misspelt.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import type { JobFile } from '../../../core/job-file.ts'
import { withPulumi } from '../../support/pulumi-packages.ts'
import { declaredBy } from './declared-stack.ts'

const SHA = 'a'.repeat(128)
const AGENT = { agent_url: 'https://example.org/agent.tar.gz', agent_sha512: SHA }
const GCP = { job_id: 'my-job', project_id: 'my-project', region: 'us-central1', ...AGENT }
const RUN = { task: './task.ts', use_spot: true }

interface Changes {
  readonly gcp?: object
  readonly run?: object
}

function jobWith({ gcp = {}, run = {} }: Changes = {}): JobFile {
  return { provider: 'gcp', gcp: { ...GCP, ...gcp }, run: { ...RUN, ...run } }
}

const stackOf = (changes?: Changes, args: object = {}) => declaredBy({ job: jobWith(changes), ...args })
const templateOf = async (changes?: Changes, args?: object) => (await stackOf(changes, args)).inputs('template')

withPulumi(() => {
  describe('the stack of a job on Google Cloud', { timeout: 120_000, concurrency: false }, () => {
    it('makes everything under the names by which agents and managers find it', async () => {
      const stack = await stackOf()
      const named = stack.all.flatMap(({ type, inputs: { name } }) =>
        typeof name === 'string' ? [`${type.split(':').at(-1)} ${name}`] : [],
      )
      assert.deepEqual(named.toSorted(), [
        'Bucket ct-my-project-my-job',
        `BucketObject ${String(stack.inputs('manager-program').name)}`,
        'InstanceTemplate rmscr-my-job',
        'Job cloud-tasks-my-job',
        'Network cloud-tasks-my-job',
        'Service cloud-tasks-my-job',
        'ServiceIamMember cloud-tasks-my-job',
        'Subnetwork cloud-tasks-my-job',
        'Subscription my-job-dead-subscription',
        'Subscription my-job-events-subscription',
        'Subscription my-job-subscription',
        'Topic my-job-dead-topic',
        'Topic my-job-events-topic',
        'Topic my-job-topic',
      ])
      assert.match(String(stack.inputs('manager-program').name), /^programs\/manager-[0-9a-f]{16}\.mjs$/)
      const accounts = stack.ofType('Account').map(({ inputs }) => inputs.accountId)
      assert.deepEqual(accounts, ['ct-my-job-vm', 'ct-my-job-mg', 'ct-my-job-sc'])
    })

    it('has room for the longest id of a job in every name', async () => {
      const stack = await stackOf({ gcp: { job_id: 'j'.repeat(24), project_id: 'p'.repeat(30) } })
      for (const { inputs } of stack.ofType('Account')) assert.match(String(inputs.accountId), /^[a-z][a-z0-9-]{5,29}$/)
      for (const { inputs } of stack.ofType('Bucket')) assert.match(String(inputs.name), /^[a-z0-9-]{3,63}$/)
      for (const { inputs } of stack.ofType('IAMCustomRole'))
        assert.match(String(inputs.roleId), /^[a-zA-Z0-9_.]{3,64}$/)
    })

    it('lets messages rest and leases be what the job says, within what Pub/Sub can do', async () => {
      const settings = async (changes: Changes) => {
        const { ackDeadlineSeconds, enableExactlyOnceDelivery, messageRetentionDuration, expirationPolicy } = (
          await stackOf(changes)
        ).inputs('tasks-subscription')
        return { ackDeadlineSeconds, enableExactlyOnceDelivery, messageRetentionDuration, expirationPolicy }
      }
      const rest = { messageRetentionDuration: '604800s', expirationPolicy: { ttl: '' } }
      assert.deepEqual(await settings({}), { ackDeadlineSeconds: 60, enableExactlyOnceDelivery: false, ...rest })
      assert.deepEqual(await settings({ gcp: { exactly_once_queue: true }, run: { lease_seconds: 5000 } }), {
        ackDeadlineSeconds: 600,
        enableExactlyOnceDelivery: true,
        ...rest,
      })
      assert.equal((await settings({ run: { lease_seconds: 1 } })).ackDeadlineSeconds, 10)
    })

    it('lets Pub/Sub itself put away what is delivered again and again, as late as it can', async () => {
      const stack = await stackOf()
      const policy = { deadLetterTopic: 'dead-topic-id', maxDeliveryAttempts: 100 }
      assert.deepEqual(stack.inputs('tasks-subscription').deadLetterPolicy, policy)
      assert.equal(stack.inputs('events-subscription').deadLetterPolicy, undefined)
      const member = 'serviceAccount:service-123456789@gcp-sa-pubsub.iam.gserviceaccount.com'
      assert.deepEqual(stack.inputs('pubsub-writes-dead'), {
        project: 'my-project',
        topic: 'my-job-dead-topic',
        role: 'roles/pubsub.publisher',
        member,
      })
      assert.deepEqual(stack.inputs('pubsub-takes-tasks'), {
        project: 'my-project',
        subscription: 'my-job-subscription',
        role: 'roles/pubsub.subscriber',
        member,
      })
    })

    it('makes a template of spot VMs that are deleted with their disks and let nothing in', async () => {
      const { metadata, ...template } = await templateOf({ run: { max_instance_lifetime: 3600 } })
      const labels = { 'cloud-tasks-job': 'my-job' }
      assert.deepEqual(template, {
        name: 'rmscr-my-job',
        project: 'my-project',
        description: 'VMs of Cloud Tasks job my-job',
        machineType: 'e2-standard-2',
        disks: [
          {
            boot: true,
            autoDelete: true,
            diskType: 'pd-balanced',
            diskSizeGb: 10,
            sourceImage: 'projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64',
            labels,
          },
        ],
        networkInterfaces: [{ subnetwork: 'subnetwork-id', accessConfigs: [{ networkTier: 'PREMIUM' }] }],
        scheduling: {
          automaticRestart: false,
          provisioningModel: 'SPOT',
          preemptible: true,
          onHostMaintenance: 'TERMINATE',
          instanceTerminationAction: 'DELETE',
          maxRunDuration: { seconds: 3780 },
        },
        serviceAccount: {
          email: 'ct-my-job-vm@p.iam',
          scopes: ['https://www.googleapis.com/auth/cloud-platform'],
        },
        shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
        labels,
        tags: ['rmscr-my-job'],
      })
      const script = String(Object(metadata)['startup-script'])
      assert.match(script, /^export RMS_CLOUD_TASKS_JOB_ID=my-job$/m)
      assert.match(script, /^export GOOGLE_CLOUD_PROJECT=my-project$/m)
      assert.match(script, /example\.org\/agent\.tar\.gz/)
      assert.deepEqual((await stackOf()).ofType('Firewall'), [])
    })

    it('lets VMs that nobody can take away live through maintenance', async () => {
      const { scheduling } = await templateOf({ run: { use_spot: false } })
      assert.deepEqual(scheduling, {
        automaticRestart: false,
        provisioningModel: 'STANDARD',
        preemptible: false,
        onHostMaintenance: 'MIGRATE',
      })
      const limited = await templateOf({ run: { use_spot: false, max_instance_lifetime: 60 } })
      assert.equal(Object(limited.scheduling).instanceTerminationAction, 'DELETE')
    })

    it('gives the boot disk the speed that its kind can have', async () => {
      const diskOf = async (run: object) => {
        const { disks } = await templateOf({ run })
        const [{ diskType, diskSizeGb, provisionedIops, provisionedThroughput }] = Array.isArray(disks) ? disks : [{}]
        return [diskType, diskSizeGb, provisionedIops, provisionedThroughput]
      }
      const speed = { boot_disk_iops: 5000, boot_disk_throughput: 200, total_boot_disk_size: 20.5 }
      assert.deepEqual(await diskOf({ ...speed, boot_disk_types: 'hd-balanced' }), [
        'hyperdisk-balanced',
        21,
        5000,
        200,
      ])
      assert.deepEqual(await diskOf({ ...speed, boot_disk_types: 'pd-extreme' }), ['pd-extreme', 21, 5000, undefined])
      assert.deepEqual(await diskOf({ ...speed, boot_disk_types: 'pd-ssd' }), ['pd-ssd', 21, undefined, undefined])
    })

    it('takes the image, the network and the account that it is given', async () => {
      const image = 'projects/p/global/images/mine'
      const template = await templateOf(
        { run: { image, architecture: 'ARM64' }, gcp: { service_account: 'me@x.iam' } },
        { subnetwork: 'projects/p/regions/us-central1/subnetworks/mine' },
      )
      assert.equal(Object(template.disks)[0].sourceImage, image)
      assert.equal(Object(template.networkInterfaces)[0].subnetwork, 'projects/p/regions/us-central1/subnetworks/mine')
      assert.equal(Object(template.serviceAccount).email, 'me@x.iam')
      assert.equal(template.machineType, 't2a-standard-1')
    })

    it('runs the manager once a minute, never two at once, and lets only its schedule call it', async () => {
      const stack = await stackOf()
      const { template, ingress, deletionProtection } = stack.inputs('manager')
      const { scaling, maxInstanceRequestConcurrency, timeout, containers, volumes } = Object(template)
      assert.deepEqual([ingress, deletionProtection, timeout], ['INGRESS_TRAFFIC_INTERNAL_ONLY', false, '55s'])
      assert.deepEqual([scaling.maxInstanceCount, maxInstanceRequestConcurrency], [1, 1])
      assert.deepEqual(volumes, [{ name: 'stack', gcs: { bucket: 'ct-my-project-my-job', readOnly: true } }])
      assert.deepEqual(containers[0].args, [`/stack/${String(stack.inputs('manager-program').name)}`])
      const schedule = stack.inputs('every-minute')
      assert.deepEqual([schedule.schedule, schedule.retryConfig], ['* * * * *', { retryCount: 0 }])
      assert.deepEqual(schedule.httpTarget, {
        httpMethod: 'POST',
        uri: 'https://manager.run.app',
        oidcToken: { serviceAccountEmail: 'ct-my-job-sc@p.iam', audience: 'https://manager.run.app' },
      })
    })

    it('makes no manager, nor what only it needs, where the user has one', async () => {
      const stack = await stackOf({}, { manager: 'here' })
      assert.deepEqual([stack.ofType('Service'), stack.ofType('Job'), stack.ofType('BucketObject')], [[], [], []])
      assert.deepEqual(
        stack.ofType('Account').map(({ inputs }) => inputs.accountId),
        ['ct-my-job-vm'],
      )
      assert.equal(stack.ofType('AlertPolicy').length, 2)
    })

    it('complains in one sentence about a job that cannot be deployed', async () => {
      const refused = (pattern: RegExp, args: object) =>
        assert.rejects(declaredBy(args), (error: Error) => error instanceof UserError && pattern.test(error.message))
      await refused(/this is the stack of gcp/, { job: { provider: 'aws', aws: { job_id: 'x' } } })
      await refused(/set job_id under gcp:/, { job: { provider: 'gcp', gcp: { region: 'r1' } } })
      await refused(/needs one of jobFile, job and config/, {})
      await refused(/The region is not known/, { job: jobWith({ gcp: { region: undefined } }) })
      await refused(/"floppy" is no boot disk/, { job: jobWith({ run: { boot_disk_types: 'floppy' } }) })
    })
  })
})
