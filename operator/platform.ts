/** What the workers of every channel share: it comes from the operator's own settings. */
export interface Platform {
  /** Image of the worker pods, the release's own. */
  image: string
  /** Namespace of the release: workers run here, because they hold the platform's credentials. */
  namespace: string
  /** First part of every topic name. */
  topicPrefix: string
  /** Settings that are no secrets, by the name of their variable. */
  environment: Readonly<Record<string, string>>
  /** Settings that are secrets, by the name of their variable: they reach the pods through a Secret. */
  secretEnvironment: Readonly<Record<string, string>>
  /** Secrets that are files, by the variable that names the file. */
  secretFiles: Readonly<Record<string, string>>
  /** Version of what is in that Secret: another one rolls the pods. */
  secretVersion: string
}
