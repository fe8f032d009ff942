// When spot VMs ended that EC2 itself took: the instance says only why, its spot request says when.
import {
  DescribeSpotInstanceRequestsCommand,
  type EC2Client,
  type Instance as Ec2Instance,
  type SpotInstanceRequest,
} from '@aws-sdk/client-ec2'
import { awsFailureKind } from './failure.ts'
import { transitionAt } from './pool-vm.ts'

const REQUESTS_AT_ONCE = 200 // values of one filter

export class SpotEnds {
  readonly #client: EC2Client
  /** By the id of the spot request. */
  readonly #known = new Map<string, Date>()

  constructor(client: EC2Client) {
    this.#client = client
  }

  /** By the id of the instance. Without the right to look, or where nobody knows, it is missing: the end is not known. */
  async read(instances: readonly Ec2Instance[]): Promise<ReadonlyMap<string, Date>> {
    const taken = instances.filter(isTaken)
    const unknown = taken.flatMap(({ SpotInstanceRequestId: id = '' }) => (this.#known.has(id) ? [] : id))
    for (let start = 0; start < unknown.length; start += REQUESTS_AT_ONCE) {
      for (const request of await this.#requests(unknown.slice(start, start + REQUESTS_AT_ONCE))) this.#learn(request)
    }
    return new Map(
      taken.flatMap(({ InstanceId = '', SpotInstanceRequestId = '', LaunchTime }) => {
        const endedAt = this.#known.get(SpotInstanceRequestId)
        return endedAt === undefined || (LaunchTime !== undefined && endedAt < LaunchTime)
          ? []
          : [[InstanceId, endedAt]]
      }),
    )
  }

  async #requests(ids: string[]): Promise<readonly SpotInstanceRequest[]> {
    // By a filter: an id that EC2 has forgotten by now is no error.
    const command = new DescribeSpotInstanceRequestsCommand({
      Filters: [{ Name: 'spot-instance-request-id', Values: ids }],
    })
    try {
      return (await this.#client.send(command)).SpotInstanceRequests ?? []
    } catch (error) {
      if (awsFailureKind(error) === 'denied') return []
      throw error
    }
  }

  /** Only while it names an end: before, its time is that of something else. */
  #learn({ SpotInstanceRequestId: id, State: state, Status: status }: SpotInstanceRequest): void {
    if (id === undefined || status?.UpdateTime === undefined) return
    const over = state === 'closed' || state === 'cancelled' || status.Code?.startsWith('instance-terminated')
    if (over) this.#known.set(id, status.UpdateTime)
  }
}

function isTaken(instance: Ec2Instance): boolean {
  const { InstanceLifecycle, SpotInstanceRequestId, State } = instance
  if (InstanceLifecycle !== 'spot' || SpotInstanceRequestId === undefined) return false
  return State?.Name === 'terminated' && transitionAt(instance) === undefined
}
