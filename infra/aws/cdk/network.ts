// Where the VMs of a job are: a network of its own that lets nothing in, or the user's subnets.
import { Fn, Stack } from 'aws-cdk-lib'
import {
  CfnInternetGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSecurityGroup,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCEndpoint,
  CfnVPCGatewayAttachment,
  type IVpc,
  type SubnetSelection,
  SubnetType,
} from 'aws-cdk-lib/aws-ec2'
import type { Construct, IDependable } from 'constructs'
import { UserError } from '../../../core/errors.ts'

export interface Network {
  readonly subnetIds: readonly string[]
  readonly securityGroupIds: readonly string[]
  /** The subnets are the user's: they do not carry the tag by which those of a job are found. */
  readonly borrowed: boolean
  /** What VMs hold on to: it can be deleted only after the last of them. */
  readonly heldByVms: readonly IDependable[]
}

export interface NetworkWishes {
  /** Ids of subnets, as in the job file. */
  readonly subnetIds?: readonly string[] | undefined
  readonly securityGroupIds?: readonly string[] | undefined
  readonly vpc?: IVpc | undefined
  readonly subnets?: SubnetSelection | undefined
  /** Only this zone of the region. */
  readonly zone?: string | undefined
  readonly zoneCount?: number | undefined
}

const CIDR = '10.173.0.0/16' // out of the way of what people use first, should they ever join networks
const MAX_ZONES = 8
const DEFAULT_ZONES = 3
const MAX_NAMED_SUBNETS = 10 // their ids must fit into one tag of 256 characters

export function makeNetwork(scope: Construct, wishes: NetworkWishes): Network {
  const { subnetIds, securityGroupIds, vpc } = wishes
  if (subnetIds !== undefined) return givenSubnets(scope, subnetIds, wishes)
  if (vpc !== undefined) {
    const chosen = vpc.selectSubnets(wishes.subnets ?? { subnetType: SubnetType.PUBLIC })
    return givenSubnets(scope, chosen.subnetIds, wishes)
  }
  if (securityGroupIds !== undefined) {
    throw new UserError('security_groups needs subnets: the groups belong to the network that the subnets are in.')
  }
  return ownNetwork(scope, wishes)
}

function givenSubnets(
  scope: Construct,
  subnetIds: readonly string[],
  { securityGroupIds, vpc }: NetworkWishes,
): Network {
  if (subnetIds.length === 0) throw new UserError('The VPC has no such subnets: choose others with `subnets`.')
  if (subnetIds.length > MAX_NAMED_SUBNETS) {
    throw new UserError(`There are ${subnetIds.length} subnets: name at most ${MAX_NAMED_SUBNETS}, one in each zone.`)
  }
  if (securityGroupIds !== undefined) return { subnetIds, securityGroupIds, borrowed: true, heldByVms: [] }
  if (vpc === undefined) {
    throw new UserError(
      'subnets is given without security_groups: name the security groups of the VMs too, or give the construct the `vpc`.',
    )
  }
  const group = closedGroup(scope, vpc.vpcId)
  return { subnetIds, securityGroupIds: [group.ref], borrowed: true, heldByVms: [group] }
}

/** Public subnets without a NAT gateway, which would cost more than many a job; objects go by S3's own door, for nothing. */
function ownNetwork(scope: Construct, { zone, zoneCount }: NetworkWishes): Network {
  const { region } = Stack.of(scope)
  const vpc = new CfnVPC(scope, 'Vpc', { cidrBlock: CIDR, enableDnsHostnames: true, enableDnsSupport: true })
  const gateway = new CfnInternetGateway(scope, 'InternetGateway')
  const attachment = new CfnVPCGatewayAttachment(scope, 'GatewayAttachment', {
    vpcId: vpc.ref,
    internetGatewayId: gateway.ref,
  })
  const routeTable = new CfnRouteTable(scope, 'RouteTable', { vpcId: vpc.ref })
  const route = new CfnRoute(scope, 'InternetRoute', {
    routeTableId: routeTable.ref,
    destinationCidrBlock: '0.0.0.0/0',
    gatewayId: gateway.ref,
  })
  route.addResourceDependency(attachment)
  const endpoint = new CfnVPCEndpoint(scope, 'S3Endpoint', {
    vpcId: vpc.ref,
    serviceName: `com.amazonaws.${region}.s3`,
    routeTableIds: [routeTable.ref],
  })
  const zones = zone === undefined ? countOfZones(zoneCount, region) : 1
  const held: IDependable[] = [attachment, route, endpoint]
  const subnetIds = Array.from({ length: zones }, (_, index) => {
    const subnet = new CfnSubnet(scope, `Subnet${index + 1}`, {
      vpcId: vpc.ref,
      cidrBlock: `10.173.${(zone === undefined ? index : blockOfZone(zone)) * 32}.0/19`, // 8,187 VMs; eight fill the network
      availabilityZone: zone ?? Fn.select(index, Fn.getAzs()),
      mapPublicIpOnLaunch: true,
    })
    const association = new CfnSubnetRouteTableAssociation(scope, `SubnetRoutes${index + 1}`, {
      subnetId: subnet.ref,
      routeTableId: routeTable.ref,
    })
    held.push(subnet, association)
    return subnet.ref
  })
  const group = closedGroup(scope, vpc.ref)
  return { subnetIds, securityGroupIds: [group.ref], borrowed: false, heldByVms: [...held, group] }
}

/** Spot VMs are cheapest and live longest where there are many zones to choose from. */
function countOfZones(wanted: number | undefined, region: string): number {
  // The one region where accounts see two zones: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
  if (wanted === undefined) return region === 'us-west-1' ? 2 : DEFAULT_ZONES
  if (Number.isInteger(wanted) && wanted >= 1 && wanted <= MAX_ZONES) return wanted
  throw new UserError(`zoneCount must be a whole number from 1 to ${MAX_ZONES}, got ${wanted}.`)
}

/** Not one of those that the network has without a named zone: where a job changes, new subnets are made before old ones go. */
function blockOfZone(zone: string): number {
  return DEFAULT_ZONES + (zone.charCodeAt(zone.length - 1) % (MAX_ZONES - DEFAULT_ZONES))
}

function closedGroup(scope: Construct, vpcId: string): CfnSecurityGroup {
  return new CfnSecurityGroup(scope, 'SecurityGroup', {
    vpcId,
    groupDescription: 'VMs of a Cloud Tasks job: nothing comes in, everything may go out',
    securityGroupEgress: [{ ipProtocol: '-1', cidrIp: '0.0.0.0/0', description: 'queues, packages, data' }],
  })
}
