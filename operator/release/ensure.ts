import { podMonitors, secrets } from '../kinds.ts'
import { manager } from '../channel/names.ts'
import type { Platform } from '../platform.ts'
import type { Api } from '../runtime/api.ts'
import { releaseObjects } from './objects.ts'

/** Makes what the workers of all channels share, and answers the platform with the version of its Secret. */
export async function ensureRelease(api: Api, platform: Omit<Platform, 'secretVersion'>): Promise<Platform> {
  const monitored = await api.serves(podMonitors)
  let secretVersion = ''
  for (const { kind, object } of releaseObjects(platform)) {
    if (kind === podMonitors && !monitored) continue
    const applied = await api.apply(kind, object, { fieldManager: manager })
    if (kind === secrets) secretVersion = applied.metadata.resourceVersion ?? ''
  }
  return { ...platform, secretVersion }
}
