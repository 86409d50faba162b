import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KafkaCluster, KafkaSecurity } from './kafka.ts'

const tls = (name: string) => fileURLToPath(new URL(`../../conformance/tls/${name}.pem`, import.meta.url))
export const adminPassword = 'a-secret-of-admin'

/** For a Kafka that asks for a log-in. */
export const kafkaSecurity: KafkaSecurity = {
  users: { admin: adminPassword },
  certificate: readFileSync(tls('loopback-key'), 'utf8') + readFileSync(tls('loopback'), 'utf8'),
}

/** The settings of a process that logs in there. The password is in a file of this folder, and ends with its line. */
export async function kafkaLogin(
  { bootstrapServers }: Pick<KafkaCluster, 'bootstrapServers'>,
  folder: string,
): Promise<Record<string, string>> {
  const password = join(folder, 'kafka-password')
  await writeFile(password, `${adminPassword}\n`, { mode: 0o600 })
  return {
    KAFKA_BOOTSTRAP_SERVERS: bootstrapServers.join(','),
    KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: 'admin',
    KAFKA_SASL_PASSWORD_FILE: password,
    KAFKA_SSL_CA_FILE: tls('loopback'),
  }
}
