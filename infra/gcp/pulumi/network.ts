// Where the VMs of a job are: a network of its own, which lets nothing in because no rule of a firewall does, or a subnet of
// the user's.
import { Network } from '@pulumi/gcp/compute/network.js'
import { Subnetwork } from '@pulumi/gcp/compute/subnetwork.js'
import type { Input } from '@pulumi/pulumi'
import { type Place, resourceName } from './place.ts'

const RANGE = '10.173.0.0/16' // out of the way of what people use first, should they ever join networks

/** Public addresses without a NAT gateway, which would cost more than many a job; Google's APIs are reached without leaving its network. */
export function makeSubnetwork({ jobId, project, region, parent }: Place): Input<string> {
  const name = resourceName(jobId)
  const network = new Network('network', { name, project, autoCreateSubnetworks: false }, { parent })
  const subnetwork = new Subnetwork(
    'subnetwork',
    { name, project, region, network: network.id, ipCidrRange: RANGE, privateIpGoogleAccess: true },
    { parent },
  )
  return subnetwork.id
}
