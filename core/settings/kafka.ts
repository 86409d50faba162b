import { readFileSync } from 'node:fs'
import type { SaslMechanism, SecurityProtocol } from './values.ts'
import { StartRefused } from './start-refused.ts'

export interface KafkaSettings {
  kafkaBootstrapServers: string[]
  kafkaSecurityProtocol: SecurityProtocol
  kafkaSaslMechanism: SaslMechanism | undefined
  kafkaSaslUsername: string | undefined
  kafkaSaslPasswordFile: string | undefined
  kafkaSslCaFile: string | undefined
}

/** How to reach the brokers, as the client takes it. */
export interface KafkaConnection {
  bootstrapServers: string[]
  /** Present when the brokers speak TLS. Without `ca` the authorities that Node trusts. */
  tls?: { ca?: string }
  sasl?: { mechanism: Lowercase<SaslMechanism>; username: string; password: string }
}

/**
 * Puts the Kafka settings together and reads their files, once: a new password takes a restart. Throws StartRefused with one line that
 * names the setting when one is missing, cannot be read, or says what the protocol does not ask for: a user name that goes nowhere
 * is a slip that would be found much later.
 */
export function kafkaConnection(settings: KafkaSettings): KafkaConnection {
  const { kafkaBootstrapServers: bootstrapServers, kafkaSecurityProtocol: protocol } = settings
  const tls = protocol.endsWith('SSL')
  const sasl = protocol.startsWith('SASL')
  const { kafkaSslCaFile: caFile } = settings
  if (!tls) refuse('KAFKA_SSL_CA_FILE', caFile, protocol)
  return {
    bootstrapServers,
    ...(tls && { tls: caFile === undefined ? {} : { ca: readText('KAFKA_SSL_CA_FILE', caFile) } }),
    ...(sasl ? { sasl: readSasl(settings) } : refuseSasl(settings)),
  }
}

function readSasl(settings: KafkaSettings): NonNullable<KafkaConnection['sasl']> {
  const { kafkaSecurityProtocol: protocol } = settings
  const mechanism = need('KAFKA_SASL_MECHANISM', settings.kafkaSaslMechanism, protocol)
  const username = need('KAFKA_SASL_USERNAME', settings.kafkaSaslUsername, protocol)
  const file = need('KAFKA_SASL_PASSWORD_FILE', settings.kafkaSaslPasswordFile, protocol)
  const password = readText('KAFKA_SASL_PASSWORD_FILE', file).replace(/\r?\n$/, '')
  return { mechanism: mechanism.toLowerCase() as Lowercase<SaslMechanism>, username, password }
}

function refuseSasl(settings: KafkaSettings): undefined {
  refuse('KAFKA_SASL_MECHANISM', settings.kafkaSaslMechanism, settings.kafkaSecurityProtocol)
  refuse('KAFKA_SASL_USERNAME', settings.kafkaSaslUsername, settings.kafkaSecurityProtocol)
  refuse('KAFKA_SASL_PASSWORD_FILE', settings.kafkaSaslPasswordFile, settings.kafkaSecurityProtocol)
}

function need<T>(name: string, value: T | undefined, protocol: SecurityProtocol): T {
  if (value !== undefined) return value
  throw new StartRefused(`${name}: must be set when KAFKA_SECURITY_PROTOCOL is ${protocol}`, 2)
}

function refuse(name: string, value: unknown, protocol: SecurityProtocol): void {
  if (value === undefined) return
  throw new StartRefused(`${name}: is not used when KAFKA_SECURITY_PROTOCOL is ${protocol}`, 2)
}

function readText(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartRefused(`${name}: ${file} cannot be read: ${code}`, 2, { cause: error })
  }
}
