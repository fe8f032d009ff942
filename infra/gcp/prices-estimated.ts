// What stands in for the price list where it may not be read: roughly what Compute Engine charged in us-central1 in 2025. Good
// enough to choose among machine types; other regions cost up to half as much again.
import type { RegionPrices } from './prices.ts'

/** Spot costs at most this: https://cloud.google.com/compute/docs/instances/spot#pricing */
const SPOT_SHARE = 0.4
const HOURS_PER_MONTH = 730.5

/** USD per hour of a vCPU and of a GiB of memory. */
const FAMILIES: Readonly<Record<string, readonly [core: number, ram: number]>> = {
  e2: [0.0218, 0.0029],
  n1: [0.0316, 0.0042],
  n2: [0.0316, 0.0042],
  n2d: [0.0275, 0.0037],
  t2d: [0.0275, 0.0037],
  t2a: [0.025, 0.0034],
  c2: [0.034, 0.0046],
  c2d: [0.0296, 0.004],
  c3: [0.034, 0.0046],
  c3d: [0.0296, 0.004],
  c4: [0.0347, 0.0039],
  c4a: [0.0309, 0.0035],
  n4: [0.0312, 0.0041],
}

/** USD per month of a GiB, an IOPS, a MiB/s. */
const STORAGE: Readonly<Record<string, number>> = {
  ssd: 0.08,
  'disk pd-standard': 0.04,
  'disk pd-balanced': 0.1,
  'disk pd-ssd': 0.17,
  'disk pd-extreme': 0.125,
  'iops pd-extreme': 0.065,
  'disk hd-balanced': 0.08,
  'iops hd-balanced': 0.005,
  'throughput hd-balanced': 0.04,
}

export function estimatedPrices(): RegionPrices {
  const onDemand: Record<string, number> = {}
  for (const [family, [core, ram]] of Object.entries(FAMILIES)) {
    onDemand[`${family} core`] = core
    onDemand[`${family} ram`] = ram
  }
  for (const [key, usd] of Object.entries(STORAGE)) onDemand[key] = usd / HOURS_PER_MONTH
  const spot = Object.fromEntries(Object.entries(onDemand).map(([key, usd]) => [key, usd * SPOT_SHARE]))
  return { onDemand, spot }
}
