using System.Runtime.InteropServices;

namespace Weir.Codecs.Compression;

/// <summary>Says which Debian package is missing, where the runtime's own message names only a file.</summary>
internal static class NativeLibraries
{
    /// <summary>Loads a library, or explains.</summary>
    /// <param name="library">File name that the dynamic linker looks for.</param>
    /// <param name="debianPackage">The package that has it.</param>
    /// <exception cref="DllNotFoundException">It can't be loaded.</exception>
    internal static void Require(string library, string debianPackage)
    {
        // The handle is kept for the life of the process on purpose: the bindings use the same library.
        if (!NativeLibrary.TryLoad(library, typeof(NativeLibraries).Assembly, null, out _))
        {
            throw new DllNotFoundException($"{library} can't be loaded. Install it with: apt-get install {debianPackage}");
        }
    }
}
