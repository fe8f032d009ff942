// The regions of Compute Engine and their zones.
import type { Region } from '../provider.ts'
import { lastPart } from './catalog-machines.ts'
import { type GcpRest, listOf, objectOf, textOf } from './rest.ts'

const FIELDS = 'nextPageToken,items(name,description,zones,status,selfLink)'

export async function loadRegions(rest: GcpRest, projectPath: string): Promise<Region[]> {
  const regions: Region[] = []
  const query = { maxResults: 500, fields: FIELDS }
  for await (const page of rest.pages(`${projectPath}/regions`, { query })) {
    for (const item of listOf(page.items).map(objectOf)) {
      const [name = '', status, endpoint] = [textOf(item.name), textOf(item.status), textOf(item.selfLink)]
      regions.push({
        name,
        description: PLACES[name] ?? textOf(item.description) ?? '',
        zones: listOf(item.zones).map(lastPart).toSorted(),
        ...(status && { status }),
        ...(endpoint && { endpoint }),
      })
    }
  }
  return regions.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** The API describes a region by its own name. https://cloud.google.com/compute/docs/regions-zones */
const PLACES: Readonly<Record<string, string>> = {
  'africa-south1': 'Johannesburg',
  'asia-east1': 'Taiwan',
  'asia-east2': 'Hong Kong',
  'asia-northeast1': 'Tokyo',
  'asia-northeast2': 'Osaka',
  'asia-northeast3': 'Seoul',
  'asia-south1': 'Mumbai',
  'asia-south2': 'Delhi',
  'asia-southeast1': 'Singapore',
  'asia-southeast2': 'Jakarta',
  'asia-southeast3': 'Bangkok',
  'australia-southeast1': 'Sydney',
  'australia-southeast2': 'Melbourne',
  'europe-central2': 'Warsaw',
  'europe-north1': 'Finland',
  'europe-north2': 'Stockholm',
  'europe-southwest1': 'Madrid',
  'europe-west1': 'Belgium',
  'europe-west10': 'Berlin',
  'europe-west12': 'Turin',
  'europe-west2': 'London',
  'europe-west3': 'Frankfurt',
  'europe-west4': 'Netherlands',
  'europe-west6': 'Zurich',
  'europe-west8': 'Milan',
  'europe-west9': 'Paris',
  'me-central1': 'Doha',
  'me-central2': 'Dammam',
  'me-west1': 'Tel Aviv',
  'northamerica-northeast1': 'Montréal',
  'northamerica-northeast2': 'Toronto',
  'northamerica-south1': 'Mexico',
  'southamerica-east1': 'São Paulo',
  'southamerica-west1': 'Santiago',
  'us-central1': 'Iowa',
  'us-east1': 'South Carolina',
  'us-east4': 'Northern Virginia',
  'us-east5': 'Columbus',
  'us-south1': 'Dallas',
  'us-west1': 'Oregon',
  'us-west2': 'Los Angeles',
  'us-west3': 'Salt Lake City',
  'us-west4': 'Las Vegas',
}
