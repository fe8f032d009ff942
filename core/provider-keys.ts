// Every key that only a provider's section of the job file has.
import type { KeyTable } from './key-spec.ts'

export const SECTIONS = ['local', 'aws', 'gcp', 'azure'] as const
export type Section = (typeof SECTIONS)[number]

const JOB_NAME = { pattern: /^[a-z][-a-z0-9]{0,23}$/, form: '1–24 of a-z, 0-9 and -, beginning with a letter' }
const SHA512 = { pattern: /^[0-9a-f]{128}$/, form: '128 hexadecimal digits' }

/** Keys of every provider's section, besides those of `run:`. */
const SECTION_KEYS = {
  job_id: { type: 'text', ...JOB_NAME, doc: 'name of the job: names its queue, VMs and database' },
  queue_name: { type: 'text', ...JOB_NAME, default: 'the job id', doc: 'name of the task queue' },
  region: { type: 'text', doc: 'where VMs and queues are' },
  zone: { type: 'text', doc: 'only this zone of the region' },
  exactly_once_queue: { type: 'bool', doc: 'exactly-once delivery, where the cloud has it' },
} as const satisfies KeyTable

const LOCAL_KEYS = {
  root: { type: 'text', added: true, default: '.cloud-tasks', doc: 'folder of the queues and VMs' },
  vcpus_per_vm: { type: 'int', above: 0, doc: 'size of a VM' },
  memory_gb_per_vm: { type: 'float', above: 0, unit: 'GB', doc: 'memory of a VM' },
  price_per_hour: { type: 'float', least: 0, unit: 'USD/h', doc: 'pretended price of a VM' },
  boot_seconds: { type: 'float', least: 0, unit: 's', doc: 'pretended boot time' },
  preemptions_per_hour: { type: 'float', least: 0, doc: 'expected preemptions per spot VM and hour' },
  notice_seconds: { type: 'float', least: 0, unit: 's', doc: 'between the notice of a preemption and the kill' },
  capacity: { type: 'int', least: 0, doc: 'VMs that can run at once; more fail for lack of capacity' },
  seed: { type: 'int', doc: 'of the random numbers' },
} as const satisfies KeyTable

/** Of clouds whose VMs are real machines. */
const DELIVERY_KEYS = {
  bucket: {
    type: 'text',
    added: true,
    doc: 'bucket (Azure: container) for the bundle, the agent, and results too large for a message',
  },
  agent_url: { type: 'text', added: true, doc: 'where VMs get the agent, instead of the bucket: a .tar.gz' },
  agent_sha512: { type: 'text', added: true, ...SHA512, doc: 'checksum of what is at agent_url' },
  node_url: { type: 'text', added: true, doc: 'where VMs get Node 24, instead of the public registry: a .tar.gz' },
  node_sha512: { type: 'text', added: true, ...SHA512, doc: 'checksum of what is at node_url' },
} as const satisfies KeyTable

const AWS_KEYS = {
  ...DELIVERY_KEYS,
  access_key: { type: 'text', secret: true, doc: 'instead of the ambient credentials' },
  secret_key: { type: 'text', secret: true, doc: 'instead of the ambient credentials' },
  subnets: { type: 'list', added: true, default: 'a network of its own', doc: 'ids of the subnets that VMs may be in' },
  security_groups: {
    type: 'list',
    added: true,
    default: 'one without ingress',
    doc: 'ids of the security groups of VMs; needs subnets',
  },
} as const satisfies KeyTable

const GCP_KEYS = {
  ...DELIVERY_KEYS,
  project_id: { type: 'text', doc: 'project' },
  credentials_file: { type: 'text', doc: 'service account key file, instead of the ambient credentials' },
  service_account: { type: 'text', doc: 'e-mail of the service account that VMs run as' },
  worker_service_account: { type: 'text', doc: 'newer name of service_account' },
  runner_service_account: { type: 'text', doc: 'e-mail of the service account that the manager acts as' },
} as const satisfies KeyTable

const AZURE_KEYS = {
  ...DELIVERY_KEYS,
  subscription_id: { type: 'text', doc: 'subscription' },
  tenant_id: { type: 'text', doc: 'tenant' },
  client_id: { type: 'text', doc: 'application' },
  client_secret: { type: 'text', secret: true, doc: 'secret of the application' },
  namespace_name: { type: 'text', doc: 'Service Bus namespace' },
  connection_string: { type: 'text', secret: true, doc: 'of the Service Bus namespace' },
} as const satisfies KeyTable

/** Keys that only provider sections have, by section. */
export const PROVIDER_KEYS = {
  local: { ...SECTION_KEYS, ...LOCAL_KEYS },
  aws: { ...SECTION_KEYS, ...AWS_KEYS },
  gcp: { ...SECTION_KEYS, ...GCP_KEYS },
  azure: { ...SECTION_KEYS, ...AZURE_KEYS },
} as const satisfies Readonly<Record<Section, KeyTable>>

/** Every provider key by name; equal names mean the same in every section. */
export const ALL_PROVIDER_KEYS = { ...SECTION_KEYS, ...LOCAL_KEYS, ...AWS_KEYS, ...GCP_KEYS, ...AZURE_KEYS } as const
