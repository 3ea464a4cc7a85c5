using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Tests.Deploy;

/// <summary>A certificate authority of a test, with its certificates as PEM files in a directory.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private readonly string _directory;
    private int _serial;

    internal TestAuthority(string directory, string name)
    {
        _directory = directory;
        var request = new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-30), DateTimeOffset.UtcNow.AddDays(30));
        CaFile = Path.Combine(directory, $"{name}.crt");
        File.WriteAllText(CaFile, _certificate.ExportCertificatePem());
    }

    /// <summary>The authority's own certificate.</summary>
    internal string CaFile { get; }

    /// <summary>A certificate and its key.</summary>
    /// <param name="name">Name of the files.</param>
    /// <param name="host">The name or address that it is for.</param>
    /// <param name="validForDays">Days from now on; negative for one that has expired.</param>
    /// <param name="validInDays">Days until it is valid; negative for one that is.</param>
    internal (string Certificate, string Key) Issue(string name, string host, int validForDays = 7, int validInDays = -20)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(
            _certificate, DateTimeOffset.UtcNow.AddDays(validInDays), DateTimeOffset.UtcNow.AddDays(validForDays), BitConverter.GetBytes(++_serial));
        var files = (Path.Combine(_directory, $"{name}.crt"), Path.Combine(_directory, $"{name}.key"));
        File.WriteAllText(files.Item1, certificate.ExportCertificatePem());
        File.WriteAllText(files.Item2, key.ExportPkcs8PrivateKeyPem());
        return files;
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _key.Dispose();
    }
}
