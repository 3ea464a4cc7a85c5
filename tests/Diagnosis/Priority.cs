using System.Diagnostics;

namespace Weir.Tests.Diagnosis;

/// <summary>Lets a process have the processors before others, where this user may decide that.</summary>
internal static class Priority
{
    /// <summary>Raises all its threads; those that they start later inherit it.</summary>
    public static void Raise(int process)
    {
        try
        {
            // Where the kernel shares the processors by session, the session comes first.
            File.WriteAllText($"/proc/{process}/autogroup", "-15");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // No such sharing, or not for this user.
        }

        var threads = Directory.GetDirectories($"/proc/{process}/task").Select(directory => Path.GetFileName(directory)!);
        using var renice = Process.Start(new ProcessStartInfo("renice", ["-n", "-15", "-p", .. threads])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true, // A user who may not is told so: the test then runs as it is.
        })!;
        renice.StandardOutput.ReadToEnd();
        renice.StandardError.ReadToEnd();
        renice.WaitForExit();
    }
}
