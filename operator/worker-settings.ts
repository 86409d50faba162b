import { readFileSync } from 'node:fs'
import type { operatorSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import type { Platform } from './platform.ts'

type Source = Settings<typeof operatorSettings>

/**
 * What the workers are told: the operator's own way to Kafka, PostgreSQL, Redis and OpenTelemetry. Secrets reach them through a Secret of the release's
 * namespace, files as files.
 */
export function workerPlatform(
  settings: Source,
  env: Readonly<Record<string, string | undefined>>,
): Omit<Platform, 'secretVersion'> {
  const { kafkaSaslMechanism, kafkaSaslUsername, kafkaSaslPasswordFile, kafkaSslCaFile } = settings
  return {
    image: settings.image,
    namespace: settings.namespace,
    topicPrefix: settings.topicPrefix,
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: settings.kafkaBootstrapServers.join(','),
      KAFKA_SECURITY_PROTOCOL: settings.kafkaSecurityProtocol,
      ...(kafkaSaslMechanism && { KAFKA_SASL_MECHANISM: kafkaSaslMechanism }),
      ...(kafkaSaslUsername && { KAFKA_SASL_USERNAME: kafkaSaslUsername }),
      LOG_LEVEL: settings.logLevel,
    },
    secretEnvironment: {
      DATABASE_URL: settings.databaseUrl,
      ...(settings.redisUrl && { REDIS_URL: settings.redisUrl }),
      // Among them are headers with keys.
      ...openTelemetry(env),
    },
    secretFiles: {
      ...(kafkaSaslPasswordFile && { KAFKA_SASL_PASSWORD_FILE: readFileSync(kafkaSaslPasswordFile, 'utf8') }),
      ...(kafkaSslCaFile && { KAFKA_SSL_CA_FILE: readFileSync(kafkaSslCaFile, 'utf8') }),
    },
  }
}

function openTelemetry(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const own = Object.entries(env).filter(([name, value]) => name.startsWith('OTEL_') && value !== undefined)
  return Object.fromEntries(own) as Record<string, string>
}
