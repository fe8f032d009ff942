// What spot VMs cost at this moment, by zone and instance type.
import { type EC2Client, paginateDescribeSpotPriceHistory } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { type Clock, systemClock } from '../../core/clock.ts'
import { isZoneOf } from './catalog-machines.ts'

export const spotSchema = z.record(z.string(), z.record(z.string(), z.number().positive()))
/** USD per hour, by zone, then by instance type. */
export type SpotPrices = z.infer<typeof spotSchema>

/** Of Linux. A history that begins and ends now holds, for each type and zone, the price that is in force. */
export async function loadSpotPrices(
  client: EC2Client,
  region: string,
  clock: Clock = systemClock,
): Promise<SpotPrices> {
  const now = new Date(clock.now())
  const prices: SpotPrices = {}
  const newest = new Map<string, number>()
  const pages = paginateDescribeSpotPriceHistory(
    { client, pageSize: 1000 },
    { StartTime: now, EndTime: now, ProductDescriptions: ['Linux/UNIX'] },
  )
  for await (const { SpotPriceHistory } of pages) {
    for (const { AvailabilityZone: zone, InstanceType: type, SpotPrice, Timestamp } of SpotPriceHistory ?? []) {
      const usd = Number(SpotPrice)
      if (zone === undefined || type === undefined || !(usd > 0) || !isZoneOf(region, zone)) continue
      const at = Timestamp?.getTime() ?? 0
      if (at < (newest.get(`${zone} ${type}`) ?? 0)) continue
      newest.set(`${zone} ${type}`, at)
      prices[zone] ??= {}
      prices[zone][type] = usd
    }
  }
  return prices
}
