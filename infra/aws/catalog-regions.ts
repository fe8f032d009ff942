// The regions of AWS and their zones, with what the account may use of them.
import {
  DescribeAvailabilityZonesCommand,
  DescribeRegionsCommand,
  EC2Client,
  type Region as Ec2Region,
} from '@aws-sdk/client-ec2'
import type { ProviderSettings } from '../open-provider.ts'
import type { Region } from '../provider.ts'
import { isZoneOf } from './catalog-machines.ts'
import { awsClientConfig } from './connection.ts'
import { awsFailure } from './failure.ts'
import { awsRegion } from './region.ts'

const AT_ONCE = 8 // regions are far away and independent

export async function loadRegions(settings: ProviderSettings, warn: (text: string) => void): Promise<Region[]> {
  const regions = await describeRegions(settings)
  const made: Region[] = []
  const waiting = regions.values() // one iterator for all: each worker takes the next
  const worker = async () => {
    for (const region of waiting) made.push(await regionOf(region, settings, warn))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return made.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function describeRegions(settings: ProviderSettings): Promise<readonly Ec2Region[]> {
  const region = awsRegion(settings)
  const client = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
  try {
    return (await client.send(new DescribeRegionsCommand({ AllRegions: true }))).Regions ?? []
  } catch (error) {
    throw awsFailure(error, { doing: 'listing regions', region })
  } finally {
    client.destroy()
  }
}

async function regionOf(
  { RegionName: name = '', OptInStatus: status, Endpoint: endpoint, Geography }: Ec2Region,
  settings: ProviderSettings,
  warn: (text: string) => void,
): Promise<Region> {
  // A region that the account has not opted into answers with an error.
  const zones = status === 'not-opted-in' ? [] : await zonesOf(name, settings, warn)
  return {
    name,
    description: PLACES[name] ?? Geography?.[0]?.Name ?? '',
    zones,
    ...(status && { status }),
    ...(endpoint && { endpoint }),
  }
}

async function zonesOf(region: string, settings: ProviderSettings, warn: (text: string) => void): Promise<string[]> {
  const client = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
  try {
    const { AvailabilityZones } = await client.send(new DescribeAvailabilityZonesCommand({}))
    return (AvailabilityZones ?? []).map(zone => zone.ZoneName ?? '').filter(zone => isZoneOf(region, zone))
  } catch (error) {
    warn(awsFailure(error, { doing: 'listing zones', region }).message)
    return []
  } finally {
    client.destroy()
  }
}

/** https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html; a newer one has its country's name. */
const PLACES: Readonly<Record<string, string>> = {
  'af-south-1': 'Africa (Cape Town)',
  'ap-east-1': 'Asia Pacific (Hong Kong)',
  'ap-east-2': 'Asia Pacific (Taipei)',
  'ap-northeast-1': 'Asia Pacific (Tokyo)',
  'ap-northeast-2': 'Asia Pacific (Seoul)',
  'ap-northeast-3': 'Asia Pacific (Osaka)',
  'ap-south-1': 'Asia Pacific (Mumbai)',
  'ap-south-2': 'Asia Pacific (Hyderabad)',
  'ap-southeast-1': 'Asia Pacific (Singapore)',
  'ap-southeast-2': 'Asia Pacific (Sydney)',
  'ap-southeast-3': 'Asia Pacific (Jakarta)',
  'ap-southeast-4': 'Asia Pacific (Melbourne)',
  'ap-southeast-5': 'Asia Pacific (Malaysia)',
  'ap-southeast-6': 'Asia Pacific (New Zealand)',
  'ap-southeast-7': 'Asia Pacific (Thailand)',
  'ca-central-1': 'Canada (Central)',
  'ca-west-1': 'Canada West (Calgary)',
  'eu-central-1': 'Europe (Frankfurt)',
  'eu-central-2': 'Europe (Zurich)',
  'eu-north-1': 'Europe (Stockholm)',
  'eu-south-1': 'Europe (Milan)',
  'eu-south-2': 'Europe (Spain)',
  'eu-west-1': 'Europe (Ireland)',
  'eu-west-2': 'Europe (London)',
  'eu-west-3': 'Europe (Paris)',
  'il-central-1': 'Israel (Tel Aviv)',
  'me-central-1': 'Middle East (UAE)',
  'me-south-1': 'Middle East (Bahrain)',
  'mx-central-1': 'Mexico (Central)',
  'sa-east-1': 'South America (São Paulo)',
  'us-east-1': 'US East (N. Virginia)',
  'us-east-2': 'US East (Ohio)',
  'us-west-1': 'US West (N. California)',
  'us-west-2': 'US West (Oregon)',
}
