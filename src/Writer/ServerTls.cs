using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Writer;

/// <summary>TLS to a server: whom to trust, who we are, and what is wrong with a certificate, in words that say what to do.</summary>
/// <remarks>
/// Certificates are always checked. Files are read anew for each handshake, so a rotated one is in use with the next connection,
/// which is made within <see cref="ClickHouseHttpSink"/>'s age of connections. Any thread.
/// </remarks>
internal sealed class ServerTls(WriterOptions options, TimeProvider time)
{
    /// <summary>What the handler of connections needs.</summary>
    internal SslClientAuthenticationOptions ClientOptions() => new()
    {
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck, // Servers inside a network have no list that could be asked.
        RemoteCertificateValidationCallback = (sender, certificate, chain, errors) =>
            Check(((SslStream)sender).TargetHostName, certificate as X509Certificate2, chain, errors),
        LocalCertificateSelectionCallback = options.TlsCertificateFile is null ? null : (_, _, _, _, _) => ReadClientCertificate(),
    };

    /// <exception cref="ServerCertificateException">The certificate is not to be trusted; the message says why and what to do.</exception>
    private bool Check(string host, X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            throw new ServerCertificateException($"{host} shows no certificate; give the server one");
        }

        // Times first: an expired certificate is often not in the chain's reach any more, and the time is what is to be mended.
        var now = time.GetUtcNow().UtcDateTime;
        if (certificate.NotAfter.ToUniversalTime() < now)
        {
            throw new ServerCertificateException(
                $"the certificate of {host} ({certificate.Subject}) expired on {Text(certificate.NotAfter)}; renew it on the server");
        }

        if (certificate.NotBefore.ToUniversalTime() > now)
        {
            throw new ServerCertificateException($"the certificate of {host} ({certificate.Subject}) is valid from {Text(certificate.NotBefore)} on, and "
                + $"this machine's clock says {Text(now)}; set the clock right, or the certificate");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            throw new ServerCertificateException($"the certificate is for {NamesOf(certificate)} and not for {host}; name the server in clickhouse.url or "
                + "clickhouse.urls as its certificate does, or give it a certificate for this name");
        }

        var problem = options.TlsCaFile is null ? ProblemOf(chain, errors) : BuildOwnChain(certificate, chain, options.TlsCaFile);
        if (problem is not null)
        {
            var where = options.TlsCaFile is null ? "this machine's authorities" : $"clickhouse.tls_ca_file {options.TlsCaFile}";
            throw new ServerCertificateException($"the certificate of {host} is signed by {certificate.Issuer}, which {where} do not vouch for "
                + $"({problem}); put the certificate of its authority into clickhouse.tls_ca_file");
        }

        return true;
    }

    private string? BuildOwnChain(X509Certificate2 certificate, X509Chain? sent, string caFile)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().LocalDateTime;
        try
        {
            chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(caFile);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ServerCertificateException($"clickhouse.tls_ca_file {caFile} cannot be read ({error.Message}); it has to be one PEM certificate or more");
        }

        foreach (var element in sent?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            chain.ChainPolicy.ExtraStore.Add(element.Certificate); // What the server sent between itself and its authority.
        }

        return chain.Build(certificate) ? null : Describe(chain);
    }

    private static string? ProblemOf(X509Chain? chain, SslPolicyErrors errors) =>
        !errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) ? null : chain is null ? "no chain" : Describe(chain);

    private static string Describe(X509Chain chain) => string.Join(
        ", ", chain.ChainStatus.Select(status => status.StatusInformation.Trim()).Distinct().DefaultIfEmpty("the chain does not hold"));

    private X509Certificate2 ReadClientCertificate()
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(options.TlsCertificateFile!, options.TlsKeyFile);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ServerCertificateException(
                $"clickhouse.tls_certificate_file {options.TlsCertificateFile} and clickhouse.tls_key_file {options.TlsKeyFile} cannot be read together "
                + $"({error.Message}); they have to be a PEM certificate and its PEM key without a password");
        }
    }

    private static string NamesOf(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(names => names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(address => address.ToString())))
            .ToList();
        return names.Count == 0 ? $"no name ({certificate.Subject})" : string.Join(", ", names);
    }

    private static string Text(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}

/// <summary>A certificate is not to be trusted, or one of ours cannot be read; the message says what to do.</summary>
internal sealed class ServerCertificateException(string message) : Exception(message);
