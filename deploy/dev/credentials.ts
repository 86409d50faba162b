import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { InstallKeys } from '../../core/notification/ids.ts'
import { readInstallKey } from '../../core/settings/install-key.ts'
import { keepPrivateFile } from './private-file.ts'

/** The Secret of the sample channel `webhook`, and so of the receiver. */
export const webhookSecret = { name: 'webhook-signing', key: 'secret' }

/** The folder of secrets. In our own one the sample webhook channel finds a signing secret, as its receiver does. */
export function prepareSecrets({
  secretsDir,
  dataDir,
}: {
  secretsDir: string | undefined
  dataDir: string
}): string {
  if (secretsDir !== undefined) return secretsDir
  const folder = join(dataDir, 'secrets')
  const { name, key } = webhookSecret
  keepPrivateFile(join(folder, name, key), () => Buffer.from(`whsec_${randomBytes(32).toString('base64')}\n`))
  return folder
}

/** The install's keys, from a secret that is made at the first start. Throws StartRefused. */
export function prepareInstallKey(dataDir: string): InstallKeys {
  const file = join(dataDir, 'install.key')
  keepPrivateFile(file, () => randomBytes(32))
  return readInstallKey(file, 'CARILLON_DATA_DIR')
}
